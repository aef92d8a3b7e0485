"""Cross-lingual dense retrieval inside Pyserini."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qgdr_pyserini.errors import InputError, QgdrError
    from qgdr_pyserini.model.dual_encoder import DualEncoder

__version__ = "0.1.0"

__all__ = ["DualEncoder", "InputError", "QgdrError", "__version__"]

_LAZY = {
    "DualEncoder": "qgdr_pyserini.model.dual_encoder",
    "InputError": "qgdr_pyserini.errors",
    "QgdrError": "qgdr_pyserini.errors",
}


def __getattr__(name: str) -> Any:
    # The interpreter-start hook imports this package: nothing heavy may load before it is asked for.
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
