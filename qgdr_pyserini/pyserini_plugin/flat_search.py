"""Exhaustive search whose result depends on nothing but the query: not on its batch, nor on the threads.

FAISS scores a flat index by a loop of dot products, or by BLAS, which for batches is several times as fast.
The two round differently, so near ties, and with them rankings, would change with the batch. Here BLAS only
nominates: somewhat more passages than are wanted, which the loop's own dot product then scores and FAISS's
own heap ranks. A bound on rounding errors tells whether a passage that was not nominated could still belong
among the best; if so, more are nominated.
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch  # noqa: F401  faiss brings its own OpenMP; loaded before torch's, the two clash

# isort: split
import faiss as faiss_module

faiss: Any = faiss_module  # its wrappers are generated and declare half of what there is

Scores = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]

# From so many queries on, measured with 2,000 and with 146,000 passages of 384 dimensions, BLAS is faster.
_BATCH = 4
_MORE = 16
_ROUNDING = 2.0**-24

_switch = threading.Lock()


def search_flat_indexes_exactly(index: Any) -> None:
    """Have a flat inner-product index search through `FlatSearch`; leave any other as it is."""
    if isinstance(index, faiss.IndexFlat) and index.metric_type == faiss.METRIC_INNER_PRODUCT:
        exact = FlatSearch(index)
        index.search = exact.search
        index.search_and_reconstruct = exact.search_and_reconstruct


class FlatSearch:
    """Searches a flat inner-product index.

    Parameters
    ----------
    index
        A FAISS ``IndexFlat`` of inner products, in main memory.
    """

    def __init__(self, index: Any) -> None:
        self._index = index
        self._stock = index.search

    def search(self, queries: Scores, k: int, **options: Any) -> tuple[Scores, Rows]:
        """Find the ``k`` best passages of every query.

        Parameters
        ----------
        queries
            ``(queries, dimension)``.
        k
            How many.
        **options
            FAISS's own, such as a selector; with one, FAISS's own search is what runs.

        Returns
        -------
        tuple of numpy.ndarray
            Scores, float32, and row numbers, int64, both ``(queries, k)``, best first, filled up with row -1
            where the index holds fewer. Equal scores rank as by FAISS for one query and k < 100.
        """
        if options:
            found: tuple[Scores, Rows] = self._stock(queries, k, **options)
            return found
        queries = np.ascontiguousarray(queries, dtype=np.float32)
        scores = np.empty((len(queries), k), dtype=np.float32)
        rows = np.empty((len(queries), k), dtype=np.int64)
        left = np.arange(len(queries))
        nominated = k + max(_MORE, k // 8)
        while len(left):
            scores[left], rows[left], sure = self._attempt(queries[left], k, nominated)
            left, nominated = left[~sure], 4 * nominated
        return scores, rows

    def search_and_reconstruct(
        self, queries: Scores, k: int, **options: Any
    ) -> tuple[Scores, Rows, npt.NDArray[np.float32]]:
        """Find the ``k`` best passages of every query, with their vectors ``(queries, k, dimension)``."""
        scores, rows = self.search(queries, k, **options)
        vectors = np.full((*rows.shape, self._index.d), np.nan, dtype=np.float32)
        vectors[rows >= 0] = self._index.reconstruct_batch(rows[rows >= 0])
        return scores, rows, vectors

    def _attempt(self, queries: Scores, k: int, nominated: int) -> tuple[Scores, Rows, npt.NDArray[np.bool_]]:
        """Rank the passages nominated; tell for which queries no other passage can belong among the best."""
        if nominated >= self._index.ntotal:
            everything = np.arange(self._index.ntotal)[None, :]
            return *self._rank(queries, everything, k), np.ones(len(queries), dtype=bool)
        with _preferring_blas(len(queries)):
            roughly, rows = self._stock(queries, nominated)
        rows.sort(axis=1)
        scores, best = self._rank(queries, rows, k)
        sure = scores[:, -1] > roughly[:, -1] + self._doubt(queries)
        return scores, best, sure & (rows[:, 0] >= 0)

    def _rank(self, queries: Scores, rows: Rows, k: int) -> tuple[Scores, Rows]:
        """Score ``rows``, ``(queries, rows)`` or ``(1, rows)`` for all, one by one; return the best ``k``."""
        scores = np.empty((len(queries), k), dtype=np.float32)
        best = np.empty((len(queries), k), dtype=np.int64)
        pointers = [faiss.swig_ptr(array) for array in (queries, rows, scores, best)]
        count, step = rows.shape[1], rows.shape[1] if len(rows) > 1 else 0
        faiss.knn_inner_products_by_idx(
            pointers[0],
            self._index.get_xb(),
            pointers[1],
            self._index.d,
            len(queries),
            self._index.ntotal,
            count,
            k,
            pointers[2],
            pointers[3],
            step,
        )
        return scores, best

    def _doubt(self, queries: Scores) -> Scores:
        """Bound how far two floating-point inner products of the same vectors can be apart.

        Each is off by at most d·u / (1 - d·u) times the product of the lengths, in whatever order its terms
        are summed, u being the rounding unit.

        References
        ----------
        Higham: Accuracy and Stability of Numerical Algorithms, second edition, section 3.1. SIAM, 2002.
        """
        terms = self._index.d * _ROUNDING
        bound = 2.001 * terms / (1 - terms) * self._longest
        lengths: Scores = np.linalg.norm(queries, axis=1)
        return lengths * np.float32(bound)

    @functools.cached_property
    def _longest(self) -> float:
        """Length of the longest vector in the index."""
        squares = np.empty(self._index.ntotal, dtype=np.float32)
        faiss.fvec_norms_L2sqr(
            faiss.swig_ptr(squares), self._index.get_xb(), self._index.d, self._index.ntotal
        )
        return float(np.sqrt(squares.max(initial=0)))


@contextlib.contextmanager
def _preferring_blas(queries: int) -> Iterator[None]:
    """Have FAISS use BLAS for batches that it would find too small for it."""
    if queries < _BATCH:
        yield
        return
    with _switch:
        own = faiss.cvar.distance_compute_blas_threshold
        faiss.cvar.distance_compute_blas_threshold = 1
        try:
            yield
        finally:
            faiss.cvar.distance_compute_blas_threshold = own
