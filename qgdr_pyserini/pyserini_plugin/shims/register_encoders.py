"""Our encoders in Pyserini's tables."""

from __future__ import annotations

from types import ModuleType

from qgdr_pyserini.pyserini_plugin.running import Shim

VERSIONS = ">=1.6"


def register_encoders(module: ModuleType) -> Shim:
    """Put ``qgdr`` first in both encoder tables of `pyserini.encode`.

    Upstream: `search.faiss`, `search.hybrid` and `pyserini.encode` take the first key that is a
    substring of the ``--encoder`` value, in the order of these dicts (1.6.0 to 2.4.0), so that
    ``finance/qgdr`` would otherwise be taken for ``ance``. The dicts are changed in place because
    the commands have imported them by name.
    https://github.com/castorini/pyserini/blob/master/pyserini/encode/__init__.py
    """
    yield
    from qgdr_pyserini.pyserini_plugin import encoders

    # Half loaded where it was our module that imported Pyserini's; it then calls `register` at its end.
    if hasattr(encoders, "register"):
        encoders.register(module)
    return "qgdr comes first in both tables"
