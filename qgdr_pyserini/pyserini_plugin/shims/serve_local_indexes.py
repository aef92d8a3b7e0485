"""Pyserini's server with a local dense index."""

from __future__ import annotations

import copy
from types import ModuleType
from typing import Any

from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.pyserini_plugin.network import connection
from qgdr_pyserini.pyserini_plugin.running import Shim

VERSIONS = ">=2.1"


def serve_local_indexes(module: ModuleType) -> Shim:
    """Open an index that the server's configuration names as ``--no-prebuilt-indexes`` would.

    Upstream: without that option, which the MCP server does not have, the server looks for the texts
    of a dense index in the catalogue of prebuilt ones, whether the index is one of them or not, and a
    local one ends in a ``KeyError`` (2.1.0 to 2.4.0).
    https://github.com/castorini/pyserini/blob/v2.4.0/pyserini/server/backend.py

    What keeps the index from being opened is said in the answer.
    """
    yield
    backend = module.SharedSearchBackend
    stock = backend._ensure_index

    def ensure_index(self: Any, index_name: str, **options: Any) -> Any:
        local = self
        if index_name in self._local_indexes and module.lookup_index_type(index_name) is None:
            local = copy.copy(self)  # with the same locks and open indexes
            local._no_prebuilt_indexes = True
        try:
            return stock(local, index_name, **options)
        except module.IndexNotAvailableError as error:
            reason = str(error.__cause__) if isinstance(error.__cause__, QgdrError) else ""
            if index_name not in self._local_indexes and connection.failure:
                reason = f"{index_name}: prebuilt indexes need the network, which cannot be reached"
            raise module.IndexNotAvailableError(reason or str(error)) from error

    backend._ensure_index = ensure_index
    return "a local index is opened without the catalogue"
