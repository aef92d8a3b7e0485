"""What an index costs and what it finds: size, recall against exact search, queries a second, by setting."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch  # noqa: F401  before faiss, see faiss_access

# isort: split
import faiss

from qgdr_pyserini.collection.topics import read_topics
from qgdr_pyserini.encode.faiss_access import ivf_of, open_index
from qgdr_pyserini.encode.manifest import IndexManifest
from qgdr_pyserini.encode.queries import encoder_of_index
from qgdr_pyserini.errors import InputError
from qgdr_pyserini.files import read_lines
from qgdr_pyserini.model.dual_encoder import Vectors

Rows = npt.NDArray[np.int64]

BATCH = 64
_STEPS = 4


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """What one setting gives.

    Parameters
    ----------
    setting
        As ``nprobe 16``; empty where there is nothing to set.
    saved
        Whether it is the one in the file, which Pyserini searches with.
    recall
        Part of the ``k`` passages of exact search that are found, mean over queries; None where exact search
        is not to be had.
    single, batch
        Queries a second, one by one and 64 at a time; encoding the queries is not in it.
    """

    setting: str
    saved: bool
    recall: float | None
    single: float
    batch: float


@dataclasses.dataclass(frozen=True, slots=True)
class IndexReport:
    """What `report_index` found.

    Parameters
    ----------
    index_type, encoder
        Of the index.
    passages, dimension, size
        How many vectors, of how many components, in a file of how many bytes.
    queries, k
        What was searched for.
    exact
        What recall is measured against, in words.
    rows
        One for each setting.
    """

    index_type: str
    encoder: str
    passages: int
    dimension: int
    size: int
    queries: int
    k: int
    exact: str
    rows: list[Row]


def report_index(
    index: str | os.PathLike[str],
    topics: Sequence[str | os.PathLike[str]],
    *,
    exact: str | os.PathLike[str] | None = None,
    encoder: str | None = None,
    k: int = 10,
    threads: int = 1,
) -> IndexReport:
    """Measure an index with real questions.

    Parameters
    ----------
    index
        An index that this package made.
    topics
        Files of questions, which `read_topics` reads.
    exact
        A flat index of the same passages. Where the index holds the vectors themselves (flat, hnsw, ivf), it
        is compared with exact search in itself if None.
    encoder
        Name or path; the one that the index names if None.
    k
        How many passages are to be found.
    threads
        Of FAISS.

    Raises
    ------
    QgdrError
        If an index or the topics cannot be read, the encoder is not to be found or another than the index's,
        or ``exact`` holds other passages.
    """
    place = Path(index)
    manifest = IndexManifest.read(place)
    found, ids = _open(place)
    queries = _encode(place, topics, encoder)
    faiss.omp_set_num_threads(threads)
    k = min(k, found.ntotal)
    truth, against = _exact(found, ids, exact, queries, k)
    return IndexReport(
        index_type=manifest.index_type,
        encoder=manifest.encoder,
        passages=found.ntotal,
        dimension=found.d,
        size=(place / "index").stat().st_size,
        queries=len(queries),
        k=k,
        exact=against,
        rows=[_row(found, queries, k, truth, *setting) for setting in _settings(found)],
    )


def _open(place: Path) -> tuple[Any, list[str]]:
    return open_index(place), [docid for _, docid in read_lines(place / "docid")]


def _encode(place: Path, topics: Sequence[str | os.PathLike[str]], encoder: str | None) -> Vectors:
    model = encoder_of_index(place, encoder)
    return model.encode_queries([text for file in topics for text in read_topics(file).values()])


def _exact(
    index: Any, ids: list[str], exact: str | os.PathLike[str] | None, queries: Vectors, k: int
) -> tuple[Rows | None, str]:
    """Find the rows that exact search finds, where it is to be had; say what it searched."""
    if exact is not None:
        place = Path(exact)
        flat, flat_ids = _open(place)
        if not isinstance(flat, faiss.IndexFlat) or flat.d != index.d:
            raise InputError(f"not a flat index of dimension {index.d}", place)
        return _translated(flat.search(queries, k)[1], flat_ids, ids, place), f"flat index {place}"
    if isinstance(index, faiss.IndexFlat):
        return index.search(queries, k)[1], "itself"
    if isinstance(index, faiss.IndexHNSWFlat):
        return faiss.downcast_index(index.storage).search(queries, k)[1], "the vectors in it"
    if isinstance(index, faiss.IndexIVFFlat):
        with _set(index, "nprobe", index.nlist):
            return index.search(queries, k)[1], "the vectors in it"
    return None, ""


def _translated(rows: Rows, flat_ids: list[str], ids: list[str], place: Path) -> Rows:
    """Turn row numbers of the flat index into those of the other."""
    if flat_ids == ids:
        return rows
    places = {docid: row for row, docid in enumerate(ids)}
    if len(ids) != len(flat_ids) or any(docid not in places for docid in flat_ids):
        raise InputError("holds other passages; name a flat index of the same corpus", place)
    return np.array([places[docid] for docid in flat_ids])[rows]


def _settings(index: Any) -> Iterator[tuple[str, int, int]]:
    """Yield name, value and saved value of what trades recall for speed, around what is saved."""
    ivf = ivf_of(index)
    if ivf is not None:
        name, saved, most = "nprobe", ivf.nprobe, ivf.nlist
    elif isinstance(index, faiss.IndexHNSW):
        name, saved, most = "efSearch", index.hnsw.efSearch, 2048
    else:
        yield "", 0, 0
        return
    tried = [saved * _STEPS**power // _STEPS**2 for power in range(5)]
    for value in sorted({min(max(1, value), most) for value in tried}):
        yield name, value, saved


@contextlib.contextmanager
def _set(index: Any, name: str, value: int) -> Iterator[None]:
    """Search with another value while the block runs; without a name, as it is."""
    holder = index.hnsw if name == "efSearch" else ivf_of(index)
    saved = getattr(holder, name) if name else None
    if name:
        setattr(holder, name, value)
    try:
        yield
    finally:
        if name:
            setattr(holder, name, saved)


def _row(index: Any, queries: Vectors, k: int, truth: Rows | None, name: str, value: int, saved: int) -> Row:
    with _set(index, name, value):
        rows = index.search(queries, k)[1]
        return Row(
            setting=f"{name} {value}" if name else "",
            saved=value == saved,
            recall=None if truth is None else recall(rows, truth),
            single=_rate(lambda: _search(index, queries, k, 1), len(queries)),
            batch=_rate(lambda: _search(index, queries, k, BATCH), len(queries)),
        )


def _search(index: Any, queries: Vectors, k: int, size: int) -> None:
    for start in range(0, len(queries), size):
        index.search(queries[start : start + size], k)


def _rate(work: Callable[[], object], count: int) -> float:
    started = time.perf_counter()
    work()
    return count / (time.perf_counter() - started)


def recall(rows: Rows, truth: Rows) -> float:
    """Tell which part of the true rows was found, ``(queries, k)`` each, as the mean over queries.

    Examples
    --------
    >>> recall(np.array([[1, 2], [3, 4]]), np.array([[2, 1], [3, 9]]))
    0.75
    """
    return float(np.mean([np.isin(true, row).mean() for row, true in zip(rows, truth, strict=True)]))
