"""Several indexes searched as one, without merging them: shards of a corpus, or corpora side by side."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.pyserini_plugin.flat_search import Rows, Scores, search_flat_indexes_exactly


class SeveralIndexes:
    """What a FAISS index is to Pyserini's searcher, over the passages of several.

    Parameters
    ----------
    parts
        FAISS indexes of one dimension, by inner product. Row numbers run on from one to the next.
    """

    def __init__(self, parts: Sequence[Any]) -> None:
        self._parts = parts
        self._starts = np.cumsum([0, *(part.ntotal for part in parts)])
        self.d = parts[0].d
        self.ntotal = int(self._starts[-1])
        self.metric_type = parts[0].metric_type

    def search(self, queries: Scores, k: int) -> tuple[Scores, Rows]:
        """Find the ``k`` best passages of every query; of equal scores, the later row first, as FAISS has it.

        Returns
        -------
        tuple of numpy.ndarray
            Scores, float32, and row numbers, int64, both ``(queries, k)``, filled up with row -1.
        """
        found = [part.search(queries, k) for part in self._parts]
        scores, rows, order = self._merged(found, k)
        return np.take_along_axis(scores, order, axis=1), np.take_along_axis(rows, order, axis=1)

    def search_and_reconstruct(self, queries: Scores, k: int) -> tuple[Scores, Rows, npt.NDArray[np.float32]]:
        """Find the ``k`` best passages of every query, with their vectors ``(queries, k, dimension)``."""
        found = [part.search_and_reconstruct(queries, k) for part in self._parts]
        scores, rows, order = self._merged(found, k)
        vectors = np.concatenate([part[2] for part in found], axis=1)
        return (
            np.take_along_axis(scores, order, axis=1),
            np.take_along_axis(rows, order, axis=1),
            np.take_along_axis(vectors, order[:, :, None], axis=1),
        )

    def _merged(self, found: Sequence[tuple[Any, ...]], k: int) -> tuple[Scores, Rows, Rows]:
        """Put all parts' scores and rows side by side; say in which order the best ``k`` of them stand."""
        scores = np.concatenate([part[0] for part in found], axis=1)
        rows = np.concatenate(
            [
                np.where(part[1] >= 0, part[1] + start, -1)
                for part, start in zip(found, self._starts[:-1], strict=True)
            ],
            axis=1,
        )
        # An empty place goes behind every passage, whatever score FAISS fills it with.
        return scores, rows, np.lexsort((-rows, -scores, rows < 0), axis=1)[:, :k]


@contextlib.contextmanager
def searched_together(folders: Sequence[str]) -> Iterator[None]:
    """Have Pyserini's searcher, asked for the first of several indexes, search all of them.

    Parameters
    ----------
    folders
        The indexes' folders.

    Raises
    ------
    QgdrError
        If indexes differ in dimension or metric, or have passages in common.
    """
    from pyserini.search.faiss import FaissSearcher

    stock = FaissSearcher.load_index

    def load_all(self: Any, index_dir: str) -> tuple[Any, list[str]]:
        loaded = [stock(self, folder) for folder in folders]
        _refuse_unlike(folders, loaded)
        for index, _ in loaded:
            search_flat_indexes_exactly(index)
        return SeveralIndexes([index for index, _ in loaded]), [docid for _, ids in loaded for docid in ids]

    FaissSearcher.load_index = load_all
    try:
        yield
    finally:
        FaissSearcher.load_index = stock


def _refuse_unlike(folders: Sequence[str], loaded: Sequence[tuple[Any, list[str]]]) -> None:
    first = loaded[0][0]
    seen: dict[str, str] = {}
    for folder, (index, ids) in zip(folders, loaded, strict=True):
        if (index.d, index.metric_type) != (first.d, first.metric_type):
            raise QgdrError(
                f"{Path(folder)}: vectors of dimension {index.d}, but {first.d} in {folders[0]}; "
                "search together what one encoder made"
            )
        twice = next((docid for docid in ids if docid in seen), None)
        if twice is not None:
            raise QgdrError(
                f"{Path(folder)}: passage {twice!r} is in {seen[twice]} too; ids must differ between indexes"
            )
        seen.update(dict.fromkeys(ids, folder))
