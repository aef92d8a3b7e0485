"""Threads that sleep while they wait."""

from __future__ import annotations

from types import ModuleType

from qgdr_pyserini.pyserini_plugin.running import Shim
from qgdr_pyserini.waiting import wait_passively

VERSIONS = ">=1.6"


def wait_without_spinning(module: ModuleType) -> Shim:
    """Keep torch's idle threads from taking the processors that FAISS's need, and the reverse.

    Upstream: a search (1.6.0) alternates between torch and FAISS, whose wheels bring an OpenMP each, with as
    many threads as there are processors; these go on spinning for milliseconds after their work is done.
    The setting is read when the libraries are loaded.
    https://github.com/castorini/pyserini/blob/master/pyserini/search/faiss/_searcher.py
    https://gcc.gnu.org/onlinedocs/libgomp/OMP_005fWAIT_005fPOLICY.html

    Does nothing where the user has chosen, or torch or FAISS is loaded already.
    """
    ours = wait_passively()
    yield
    return "OMP_WAIT_POLICY=passive" if ours else None
