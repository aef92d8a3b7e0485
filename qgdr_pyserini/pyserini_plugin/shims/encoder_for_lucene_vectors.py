"""Lucene's search of dense vectors with one of our encoders."""

from __future__ import annotations

import functools
import inspect
import json
from types import ModuleType
from typing import Any

from qgdr_pyserini.pyserini_plugin.commands import one_line_errors
from qgdr_pyserini.pyserini_plugin.running import Shim

VERSIONS = ">=1.6"


def encoder_for_lucene_vectors(module: ModuleType) -> Shim:
    """Make ``search.lucene --dense --onnx-encoder qgdr`` and the two searchers take our encoder.

    Upstream: an encoder's name is handed to Anserini, which knows those that are written in Java
    (1.6.0 to 2.4.0). A query without one is taken for the JSON of its vector.
    https://github.com/castorini/pyserini/blob/master/pyserini/search/lucene/_hnsw_searcher.py

    An index that ``qgdr export lucene`` wrote is compared with the encoder.
    """
    yield
    for searcher in (module.LuceneHnswDenseSearcher, module.LuceneFlatDenseSearcher):
        _take_ours(searcher)
    return "Lucene's dense searchers take the names of our encoders"


def _take_ours(searcher: Any) -> None:
    init, search, batch_search = searcher.__init__, searcher.search, searcher.batch_search

    @functools.wraps(init)
    def init_with_ours(self: Any, *args: Any, **kwargs: Any) -> None:
        from qgdr_pyserini.pyserini_plugin.encoders import KEY, QgdrQueryEncoder
        from qgdr_pyserini.pyserini_plugin.matching import check_maker

        given = inspect.signature(init).bind(self, *args, **kwargs)
        encoder = given.arguments.get("encoder")
        self.query_encoder = None
        if isinstance(encoder, str) and KEY in encoder.lower():
            self.query_encoder = QgdrQueryEncoder(encoder)
            given.arguments["encoder"] = None
            with one_line_errors():
                check_maker(given.arguments["index_dir"], self.query_encoder)
        init(*given.args, **given.kwargs)

    @functools.wraps(search)
    def search_with_ours(self: Any, q: str, k: int = 10) -> Any:
        return search(self, _vectors(self, [q])[0], k)

    @functools.wraps(batch_search)
    def batch_search_with_ours(self: Any, queries: list[str], *args: Any, **kwargs: Any) -> Any:
        return batch_search(self, _vectors(self, queries), *args, **kwargs)

    searcher.__init__, searcher.search, searcher.batch_search = (
        init_with_ours,
        search_with_ours,
        batch_search_with_ours,
    )


def _vectors(searcher: Any, queries: list[str]) -> list[str]:
    """Return what Anserini reads: the JSON of each query's vector."""
    if searcher.query_encoder is None:
        return queries
    return [json.dumps(vector.tolist()) for vector in searcher.query_encoder.encode_batch(queries)]
