"""torch before faiss."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType


def import_torch_first(module: ModuleType) -> Iterator[None]:
    """Import torch before `pyserini.search.faiss` imports faiss.

    Upstream: ``_searcher.py`` imports faiss first (1.6.0, 2.x). Both bring an OpenMP runtime, and
    with faiss's loaded first torch crashes or crawls on some platforms. `pyserini.encode`
    imports torch a moment later in any case.
    https://github.com/castorini/pyserini/blob/master/pyserini/search/faiss/_searcher.py

    Does nothing where faiss is loaded already.
    """
    if "faiss" not in sys.modules:
        import torch  # noqa: F401
    yield
