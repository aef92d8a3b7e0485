"""Queries encoded once, in the file that Pyserini's ``--encoded-queries`` reads."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from qgdr_pyserini.collection.topics import read_topics
from qgdr_pyserini.encode.compatibility import agree_with_index, maker, refuse_other_passage_tower
from qgdr_pyserini.encode.manifest import MANIFEST, IndexManifest
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.files import atomic_directory
from qgdr_pyserini.model.config import NOTHING, EncoderOptions
from qgdr_pyserini.model.dual_encoder import DualEncoder, Vectors
from qgdr_pyserini.model.inference.precision import lay_out
from qgdr_pyserini.model.registry import DEFAULT_ENCODER
from qgdr_pyserini.model.towers import find_towers

FILE = "embedding.pkl"


def encode_queries(
    topics: str | os.PathLike[str],
    output: str | os.PathLike[str],
    encoder: str = DEFAULT_ENCODER,
    *,
    index: str | os.PathLike[str] | None = None,
    device: str = "cpu",
    overwrite: bool = False,
    settings: EncoderOptions = NOTHING,
    tell: Callable[[str], object] = lambda message: None,
) -> int:
    """Encode topics for ``pyserini.search.faiss --encoded-queries``.

    Parameters
    ----------
    topics
        What `read_topics` reads.
    output
        The directory to write: ``embedding.pkl``, a pandas table of ``id``, ``text`` and ``embedding``.
    encoder
        Name or path, as `find_towers` takes it; of two encoders, the first.
    index
        An index that the queries are meant for, to see to it that the same encoder made it. What neither the
        encoder's folder nor ``settings`` says is taken from it.
    device
        ``cpu``, ``cuda``, …
    overwrite
        Replace what stands at ``output``.
    settings
        What the encoder's folder says nothing about.
    tell
        Called with what was decided on the user's behalf, a line each.

    Returns
    -------
    int
        Number of queries.

    Raises
    ------
    QgdrError
        If topics or encoder cannot be used, the index is another encoder's, or something stands at
        ``output``.
    """
    queries = read_topics(topics)
    model = load_query_encoder(encoder, index=index, device=device, settings=settings, tell=tell)
    vectors = lay_out(model).encode_queries(list(queries.values()))
    write_queries(output, queries, vectors, overwrite=overwrite)
    return len(queries)


def load_query_encoder(
    encoder: str,
    *,
    index: str | os.PathLike[str] | None = None,
    device: str = "cpu",
    settings: EncoderOptions = NOTHING,
    tell: Callable[[str], object] = lambda message: None,
) -> DualEncoder:
    """Load an encoder for queries, which may be meant for an index; parameters as in `encode_queries`."""
    towers = find_towers(encoder)
    model = DualEncoder.from_tower(towers.query, device, settings)
    if index is not None:
        agree_with_index(index, towers.name, model)
        refuse_other_passage_tower(index, towers)
    for guess in model.guesses:
        tell(guess)
    return model


def encoder_of_index(
    index: str | os.PathLike[str], encoder: str | None = None, device: str = "cpu"
) -> DualEncoder:
    """Load the encoder for the questions that are put to an index.

    Parameters
    ----------
    index
        The index's folder. One without a manifest, not made by this package, takes any encoder of its
        dimension.
    encoder
        Name or path, as `find_towers` takes it; the one that the index names if None.
    device
        ``cpu``, ``cuda``, …

    Raises
    ------
    QgdrError
        If the index names none, the encoder is not to be found, or another than the one that made the index.
    """
    place = Path(index)
    if encoder is not None and not (place / MANIFEST).is_file():
        return load_query_encoder(encoder, device=device)
    manifest = IndexManifest.read(place)
    model = load_query_encoder(encoder or maker(place, manifest), index=place, device=device)
    if model.dimension != manifest.dimension:
        name = encoder or manifest.encoder
        raise QgdrError(f"{place}: dimension {manifest.dimension}, but {name} has {model.dimension}")
    return model


def write_queries(
    output: str | os.PathLike[str], queries: Mapping[str, str], vectors: Vectors, *, overwrite: bool
) -> None:
    """Write encoded queries, ``(queries, dimension)``, for ``--encoded-queries``; see `encode_queries`."""
    import pandas as pd  # not needed for vectors alone

    # Pyserini looks a query's vector up by its text.
    table = pd.DataFrame({"id": list(queries), "text": list(queries.values()), "embedding": list(vectors)})
    with atomic_directory(output, overwrite=overwrite) as work:
        table.to_pickle(Path(work) / FILE)
