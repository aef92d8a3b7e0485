"""Running shims around the execution of a module."""

from __future__ import annotations

import contextlib
import importlib
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from types import ModuleType

from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.pyserini_plugin.commands import one_line_errors

Shim = Generator[None, None, None]


def run_inside(names: Sequence[str], module: ModuleType, execute: Callable[[ModuleType], None]) -> None:
    """Execute a module inside its shims.

    A shim is a generator function that takes the module: what comes before its ``yield``
    happens before the module is executed, the rest afterwards.

    Parameters
    ----------
    names
        Shims, each named after its file in ``shims/``.
    module
        The module, created but not yet executed.
    execute
        What executes it.
    """
    with one_line_errors():
        shims = {name: _begin(name, module) for name in names}
        try:
            execute(module)
        except BaseException:
            for shim in shims.values():
                shim.close()
            raise
        for name, shim in reversed(shims.items()):
            with _forgiving(name):
                next(shim, None)


def _begin(name: str, module: ModuleType) -> Shim:
    """Run what a shim does before its module; give back the rest of it."""
    with _forgiving(name):
        holder = importlib.import_module(f"qgdr_pyserini.pyserini_plugin.shims.{name}")
        shim: Shim = getattr(holder, name)(module)
        next(shim, None)
        return shim
    return _nothing()


def _nothing() -> Shim:
    yield from ()


@contextlib.contextmanager
def _forgiving(name: str) -> Iterator[None]:
    """Warn of a shim that fails: a Pyserini that has moved on must stay usable."""
    try:
        yield
    except QgdrError:
        raise
    except Exception as error:
        warnings.warn(f"qgdr-pyserini: {name} does not fit this Pyserini: {error!r}", stacklevel=3)
