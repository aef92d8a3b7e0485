"""`FaissSearcher` with the name of one of our encoders."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from qgdr_pyserini.pyserini_plugin.running import Shim

VERSIONS = ">=1.6"


def encoder_from_string(module: ModuleType) -> Shim:
    """Make ``FaissSearcher(index, "qgdr")`` take our encoder.

    Upstream: given a string, the searcher goes through a chain of ``if``s of its own instead of the
    tables in `pyserini.encode` (1.6.0 to 2.4.0), and takes any name it does not know for one on the
    Hugging Face hub.
    https://github.com/castorini/pyserini/blob/master/pyserini/search/faiss/_searcher.py
    """
    yield
    searcher = module.FaissSearcher
    stock = searcher._init_encoder_from_str

    def init_encoder_from_str(encoder: str) -> Any:
        from qgdr_pyserini.pyserini_plugin.encoders import KEY, QgdrQueryEncoder

        return QgdrQueryEncoder(encoder) if KEY in encoder.lower() else stock(encoder)

    searcher._init_encoder_from_str = staticmethod(init_encoder_from_str)
    return "FaissSearcher takes the names of our encoders"
