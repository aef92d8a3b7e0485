"""Topics and qrels that Pyserini knows by name, asked for without a network."""

from __future__ import annotations

from types import ModuleType

from qgdr_pyserini.pyserini_plugin.network import naming_the_network, noting_failures
from qgdr_pyserini.pyserini_plugin.running import Shim

VERSIONS = ">=2.4"
NAMED = {"get_topics": "topics", "get_qrels_file": "qrels"}


def say_that_topics_need_network(module: ModuleType) -> Shim:
    """Say in one line that topics known by name need the network, and exit with 2.

    Upstream: the tables of topics and qrels come from raw.githubusercontent.com (2.4.0), so that a
    misspelt file name ends in a ``URLError`` without network. Before, they were in the package.
    https://github.com/castorini/pyserini/blob/v2.4.0/pyserini/search/_base.py
    """
    yield
    if not hasattr(module, "_load_mapping"):
        return None
    for function in ("_load_mapping", "_download_and_cache"):
        setattr(module, function, noting_failures(getattr(module, function)))
    for function, what in NAMED.items():
        setattr(module, function, naming_the_network(getattr(module, function), what))
    return "topics asked for by name without network are one line"
