"""Cross-lingual dense retrieval inside Pyserini."""

# Every interpreter start imports this package (see pyserini_plugin/hook.py), so it imports
# nothing itself, not even `__future__`; `typing` alone would cost more than all the rest.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from qgdr_pyserini.errors import InputError, QgdrError
    from qgdr_pyserini.model.dual_encoder import DualEncoder

__version__ = "0.1.0"

__all__ = ["DualEncoder", "InputError", "QgdrError", "__version__"]

_LAZY = {
    "DualEncoder": "qgdr_pyserini.model.dual_encoder",
    "InputError": "qgdr_pyserini.errors",
    "QgdrError": "qgdr_pyserini.errors",
}


def __getattr__(name: str) -> "Any":
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_LAZY[name]), name)
