"""Batches of queries through BLAS, with the ranking that each query gets alone."""

from __future__ import annotations

import functools
from pathlib import Path
from types import ModuleType
from typing import Any

from qgdr_pyserini.pyserini_plugin.running import Shim

VERSIONS = ">=1.6"

OURS = "qgdr.json"
"""What stands beside every index that `qgdr encode-corpus` made."""


def search_flat_by_blas(module: ModuleType) -> Shim:
    """Make ``--batch-size 64`` over a flat index several times faster with an encoder or an index of ours.

    Upstream: the searcher leaves how to search to FAISS (1.6.0, 2.x), which since 1.14.2 goes through the
    whole index once a query unless queries times dimensions reach 128,000: 64 queries of 384 dimensions do
    not. With a batch that does, or several threads, it rounds differently, so that near ties change places.
    https://github.com/castorini/pyserini/blob/master/pyserini/search/faiss/_searcher.py
    https://github.com/facebookresearch/faiss/blob/main/faiss/utils/distances.cpp

    Does nothing for other encoders over other indexes, other kinds of index, or an index on a GPU.
    """
    yield
    searcher = module.FaissSearcher
    stock = searcher.__init__

    @functools.wraps(stock)
    def init_then_speed_up(self: Any, index_dir: str, *args: Any, **kwargs: Any) -> None:
        stock(self, index_dir, *args, **kwargs)
        from qgdr_pyserini.pyserini_plugin.encoders import QgdrQueryEncoder
        from qgdr_pyserini.pyserini_plugin.flat_search import search_flat_indexes_exactly

        if isinstance(self.query_encoder, QgdrQueryEncoder) or (Path(index_dir) / OURS).is_file():
            search_flat_indexes_exactly(self.index)

    searcher.__init__ = init_then_speed_up
    return "batches over flat indexes go through BLAS, ranked as single queries"
