"""Queries encoded once, in the file that Pyserini's ``--encoded-queries`` reads."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from qgdr_pyserini.collection.topics import read_topics
from qgdr_pyserini.encode.compatibility import refuse_mismatch
from qgdr_pyserini.encode.precision import lay_out
from qgdr_pyserini.files import atomic_directory
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.registry import DEFAULT_ENCODER, find_encoder

FILE = "embedding.pkl"


def encode_queries(
    topics: str | os.PathLike[str],
    output: str | os.PathLike[str],
    encoder: str = DEFAULT_ENCODER,
    *,
    index: str | os.PathLike[str] | None = None,
    device: str = "cpu",
    overwrite: bool = False,
) -> int:
    """Encode topics for ``pyserini.search.faiss --encoded-queries``.

    Parameters
    ----------
    topics
        What `read_topics` reads.
    output
        The directory to write: ``embedding.pkl``, a pandas table of ``id``, ``text`` and ``embedding``.
    encoder
        Name or path, as `find_encoder` takes it.
    index
        An index that the queries are meant for, to see to it that the same encoder made it.
    device
        ``cpu``, ``cuda``, …
    overwrite
        Replace what stands at ``output``.

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
    folder = find_encoder(encoder)
    model = DualEncoder.from_pretrained(folder, device=device)
    if index is not None:
        refuse_mismatch(index, folder.resolve().name, model.fingerprint)
    vectors = lay_out(model).encode_queries(list(queries.values()))
    # Pyserini looks a query's vector up by its text.
    table = pd.DataFrame({"id": list(queries), "text": list(queries.values()), "embedding": list(vectors)})
    with atomic_directory(output, overwrite=overwrite) as work:
        table.to_pickle(Path(work) / FILE)
    return len(queries)
