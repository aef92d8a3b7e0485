"""Prebuilt indexes and the like, asked for without a network."""

from __future__ import annotations

from types import ModuleType

from qgdr_pyserini.pyserini_plugin.network import naming_the_network, noting_failures
from qgdr_pyserini.pyserini_plugin.running import Shim

VERSIONS = ">=1.6"
DOWNLOADS = {
    "download_prebuilt_index": "prebuilt indexes",
    "download_encoded_queries": "encoded queries",
    "download_encoded_corpus": "encoded corpora",
}


def say_that_downloads_need_network(module: ModuleType) -> Shim:
    """Say in one line that a prebuilt index needs the network, and exit with 2.

    Upstream: without network, 1.6.0 prints a line for every address and ends with exit code 0; with
    `load_catalogue_when_asked` in place, 2.4.0 would say \"Unrecognized index name\" and exit with 0.
    https://github.com/castorini/pyserini/blob/master/pyserini/util.py
    """
    yield
    setattr(module, "download_url", noting_failures(module.download_url))  # noqa: B010  mypy: a module
    for function, what in DOWNLOADS.items():
        setattr(module, function, naming_the_network(getattr(module, function), what))
    return "a prebuilt index asked for without network is one line"
