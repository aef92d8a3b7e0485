"""Cross-lingual dense retrieval inside Pyserini.

The names below are loaded when they are first used; `docs/how-to/python.md` shows them at work.
"""

# Every interpreter start imports this package (see pyserini_plugin/hook.py), so it imports
# nothing itself, not even `__future__`; `typing` alone would cost more than all the rest.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from qgdr_pyserini.api.comparing import compare, fuse
    from qgdr_pyserini.api.encoding import encode_corpus, encode_queries, load_encoder
    from qgdr_pyserini.api.reading import (
        build_collection,
        build_training_set,
        load_collection,
        read_qrels,
        read_run,
        read_topics,
        write_run,
    )
    from qgdr_pyserini.api.searching import Searcher, bm25, rerank
    from qgdr_pyserini.api.training import train_encoder
    from qgdr_pyserini.collection.corpus import Passage
    from qgdr_pyserini.errors import InputError, QgdrError
    from qgdr_pyserini.model.cross_encoder import CrossEncoder
    from qgdr_pyserini.model.dual_encoder import DualEncoder
    from qgdr_pyserini.model.query_generator import QueryGenerator
    from qgdr_pyserini.model.teacher import Query

__version__ = "0.1.0"

__all__ = [
    "CrossEncoder",
    "DualEncoder",
    "InputError",
    "Passage",
    "QgdrError",
    "Query",
    "QueryGenerator",
    "Searcher",
    "__version__",
    "bm25",
    "build_collection",
    "build_training_set",
    "compare",
    "encode_corpus",
    "encode_queries",
    "fuse",
    "load_collection",
    "load_encoder",
    "read_qrels",
    "read_run",
    "read_topics",
    "rerank",
    "train_encoder",
    "write_run",
]

# No name may be that of a sub-package: importing `qgdr_pyserini.train` would put a module in its place.
_LAZY = {
    "CrossEncoder": "model.cross_encoder",
    "DualEncoder": "model.dual_encoder",
    "InputError": "errors",
    "Passage": "collection.corpus",
    "QgdrError": "errors",
    "Query": "model.teacher",
    "QueryGenerator": "model.query_generator",
    "Searcher": "api.searching",
    "bm25": "api.searching",
    "build_collection": "api.reading",
    "build_training_set": "api.reading",
    "compare": "api.comparing",
    "encode_corpus": "api.encoding",
    "encode_queries": "api.encoding",
    "fuse": "api.comparing",
    "load_collection": "api.reading",
    "load_encoder": "api.encoding",
    "read_qrels": "api.reading",
    "read_run": "api.reading",
    "read_topics": "api.reading",
    "rerank": "api.searching",
    "train_encoder": "api.training",
    "write_run": "api.reading",
}


def __getattr__(name: str) -> "Any":
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)


def __dir__() -> "list[str]":
    return sorted({*globals(), *__all__})
