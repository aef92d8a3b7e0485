"""The kinds of index that a corpus can be encoded into: one file and one row each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qgdr_pyserini.encode.flat_index import write_flat_index
from qgdr_pyserini.encode.hnsw_index import write_hnsw_index
from qgdr_pyserini.encode.ivf_index import write_ivf_index, write_ivfpq_index
from qgdr_pyserini.encode.quantized_index import write_fp16_index, write_pq_index, write_sq8_index
from qgdr_pyserini.encode.vectors import Vectors
from qgdr_pyserini.errors import QgdrError

INDEX_TYPES: dict[str, Callable[[Vectors, Path], None]] = {
    "flat": write_flat_index,
    "fp16": write_fp16_index,
    "sq8": write_sq8_index,
    "pq": write_pq_index,
    "hnsw": write_hnsw_index,
    "ivf": write_ivf_index,
    "ivfpq": write_ivfpq_index,
}
"""By name, what writes vectors ``(passages, dimension)`` as a FAISS index to a file."""


def write_index(kind: str, vectors: Vectors, path: Path) -> None:
    """Write vectors ``(passages, dimension)`` as an index of a kind.

    Raises
    ------
    QgdrError
        If the file cannot be written.
    """
    try:
        INDEX_TYPES[kind](vectors, path)
    except RuntimeError as error:
        if "write error" not in str(error):
            raise
        raise QgdrError(f"{path}: cannot be written; make room, then go on with --resume") from None
