"""Whether an index and the encoder of the queries belong together."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from qgdr_pyserini.errors import QgdrError


def check_maker(index_dir: str, query_encoder: Any) -> None:
    """Compare an index's ``qgdr.json``, where it has one, with one of our encoders.

    What the encoder's folder leaves open, such as pooling, is taken from the index.

    Parameters
    ----------
    index_dir
        The index's folder: FAISS's, or Lucene's as ``qgdr export lucene`` wrote it.
    query_encoder
        A `QgdrQueryEncoder`.

    Raises
    ------
    QgdrError
        If another encoder made it.
    """
    from qgdr_pyserini.encode.queries import agree_with_index, refuse_other_passage_tower
    from qgdr_pyserini.model.towers import find_towers

    if _is_described(index_dir):
        encoder = query_encoder.encoder
        agree_with_index(index_dir, query_encoder.name or str(encoder.folder), encoder)
        if query_encoder.name is not None:
            refuse_other_passage_tower(index_dir, find_towers(query_encoder.name))


def check_match(index_dir: str, index: Any, query_encoder: Any) -> None:
    """Compare a FAISS index with what encodes its queries.

    Parameters
    ----------
    index_dir
        The index's folder.
    index
        The FAISS index.
    query_encoder
        An encoder of Pyserini's or ours.

    Raises
    ------
    QgdrError
        If they are known not to belong together: another fingerprint than in the index's
        ``qgdr.json``, or another dimension.
    """
    from qgdr_pyserini.pyserini_plugin.encoders import QgdrQueryEncoder

    ours = isinstance(query_encoder, QgdrQueryEncoder)
    if ours:
        check_maker(index_dir, query_encoder)
    _refuse_other_dimension(index_dir, index, query_encoder)
    if not ours and getattr(query_encoder, "has_model", False) and _is_described(index_dir):
        warnings.warn(
            f"{index_dir} was encoded by qgdr-pyserini, its queries are by {type(query_encoder).__name__}",
            stacklevel=4,
        )


def _is_described(index_dir: str) -> bool:
    from qgdr_pyserini.encode.manifest import MANIFEST

    return (Path(index_dir) / MANIFEST).is_file()


def _refuse_other_dimension(index_dir: str, index: Any, query_encoder: Any) -> None:
    dimension = _dimension_of(query_encoder)
    if dimension is not None and dimension != index.d:
        raise QgdrError(
            f"{index_dir}: its vectors have {index.d} dimensions, those of the queries {dimension}; "
            "encode both with one encoder"
        )


def _dimension_of(query_encoder: Any) -> int | None:
    """Return the number of components of the queries' vectors, where it can be known beforehand."""
    encoder: Any = getattr(query_encoder, "encoder", None)
    if isinstance(getattr(encoder, "dimension", None), int):
        return int(encoder.dimension)
    # What stands in for a model with --encoded-queries; `embedding` before Pyserini 2.4.
    table = getattr(query_encoder, "embeddings", getattr(query_encoder, "embedding", None))
    vector: Any = next(iter(table.values()), None) if isinstance(table, dict) else None
    return len(vector) if np.ndim(vector) == 1 else None
