"""A local Lucene index of dense vectors, opened without the network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from qgdr_pyserini.pyserini_plugin.running import Shim

VERSIONS = ">=2.4"


def open_lucene_vectors_locally(module: ModuleType) -> Shim:
    """Open a local HNSW or flat index without asking GitHub for the names of prebuilt ones.

    Upstream: the Anserini in 2.4.0 compares the path of a dense index with its catalogue first, which
    it fetches from api.github.com, and fails without network. The one in 1.6.0 opens a path at once.
    https://github.com/castorini/pyserini/blob/v2.4.0/pyserini/search/lucene/_hnsw_searcher.py

    An index with one of Anserini's own encoders is left to Anserini.
    """
    yield
    module.JHnswDenseSearcher = _opening(module.JHnswDenseSearcher)  # type: ignore[attr-defined]
    module.JFlatDenseSearcher = _opening(module.JFlatDenseSearcher)  # type: ignore[attr-defined]
    for searcher in (module.LuceneHnswDenseSearcher, module.LuceneFlatDenseSearcher):
        searcher.batch_search = _batching(searcher.batch_search)
    return "a local index of vectors is opened without the catalogue"


def _opening(stock: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def open_index(args: Any) -> Any:
        from qgdr_pyserini.pyserini_plugin.lucene_vectors import LocalDenseSearcher

        if args.encoder or not Path(args.index).is_dir():
            return stock(args)
        return LocalDenseSearcher(args.index, getattr(args, "efSearch", None))

    return open_index


def _batching(stock: Callable[..., Any]) -> Callable[..., Any]:
    def batch_search(self: Any, queries: list[str], qids: list[str], k: int = 10, threads: int = 4) -> Any:
        from qgdr_pyserini.pyserini_plugin.lucene_vectors import LocalDenseSearcher

        if isinstance(self.searcher, LocalDenseSearcher):
            return self.searcher.batch_search(queries, qids, k)
        return stock(self, queries, qids, k, threads)

    return batch_search
