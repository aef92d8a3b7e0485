"""An index searched with the encoder that made it."""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

from qgdr_pyserini.pyserini_plugin.commands import one_line_errors
from qgdr_pyserini.pyserini_plugin.running import Shim

VERSIONS = ">=1.6"


def check_index_against_encoder(module: ModuleType) -> Shim:
    """Refuse to search an index with queries that another encoder made.

    Upstream: `FaissSearcher` compares nothing (1.6.0 to 2.4.0). Another encoder of the same dimension
    gives meaningless rankings, one of another dimension ends in a bare ``AssertionError`` at the
    first query.
    https://github.com/castorini/pyserini/blob/master/pyserini/search/faiss/_searcher.py

    What made the index is known from the ``qgdr.json`` beside it; a foreign encoder on such an index
    is warned of.
    """
    yield
    searcher = module.FaissSearcher
    stock = searcher.__init__

    @functools.wraps(stock)
    def init(self: Any, index_dir: str, *args: Any, **kwargs: Any) -> None:
        from qgdr_pyserini.pyserini_plugin.matching import check_match

        stock(self, index_dir, *args, **kwargs)
        with one_line_errors():
            check_match(index_dir, self.index, self.query_encoder)

    searcher.__init__ = init
    return "an index is compared with the encoder of its queries"
