"""torch before faiss."""

from __future__ import annotations

import sys
from types import ModuleType

from qgdr_pyserini.pyserini_plugin.running import Shim

VERSIONS = ">=1.6"


def import_torch_first(module: ModuleType) -> Shim:
    """Import torch before `pyserini.search.faiss` imports faiss.

    Upstream: ``_searcher.py`` imports faiss first (1.6.0 to 2.4.0). Both bring an OpenMP runtime, and
    with faiss's loaded first torch crashes or crawls on some platforms. `pyserini.encode`
    imports torch a moment later in any case.
    https://github.com/castorini/pyserini/blob/master/pyserini/search/faiss/_searcher.py

    Does nothing where faiss is loaded already.
    """
    needed = "faiss" not in sys.modules and "torch" not in sys.modules
    if needed:
        import torch  # noqa: F401
    yield
    return "torch was not loaded yet" if needed else None
