"""Running shims around the execution of a module, imported or run by ``python -m``."""

from __future__ import annotations

import ast
import contextlib
import importlib
import sys
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from types import CodeType, ModuleType
from typing import Any

from packaging.specifiers import SpecifierSet

from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.pyserini_plugin.commands import one_line_errors

Shim = Generator[None, None, str | None]
"""What comes before its ``yield`` happens before the module is executed, the rest afterwards.

It returns what it did, in a few words; nothing where the defect it is there for is absent.
"""

active: dict[str, str] = {}
"""What each shim that had something to do did in this process."""


def concerns_installed(versions: str) -> bool:
    """Tell whether the installed Pyserini is one of those that a shim is there for.

    Parameters
    ----------
    versions
        As in requirements: ``>=1.6,<2.1``.
    """
    try:
        return SpecifierSet(versions).contains(version("pyserini"), prereleases=True)
    except PackageNotFoundError:  # a source tree on the path
        return True


def run_inside(names: Sequence[str], module: ModuleType, execute: Callable[[ModuleType], None]) -> None:
    """Execute a module inside its shims.

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
        except BaseException as error:
            raise _told(shims, error)  # noqa: B904  the same error, or one that knows its cause
        for name, shim in reversed(shims.items()):
            _end(name, shim)


def _begin(name: str, module: ModuleType) -> Shim:
    """Run what a shim does before its module; give back the rest of it."""
    with _forgiving(name):
        holder = importlib.import_module(f"qgdr_pyserini.pyserini_plugin.shims.{name}")
        if not concerns_installed(holder.VERSIONS):
            return _nothing()
        shim: Shim = getattr(holder, name)(module)
        next(shim, None)
        return shim
    return _nothing()


def _end(name: str, shim: Shim) -> None:
    """Run what a shim does after its module, and note what it did."""
    with _forgiving(name):
        try:
            next(shim)
        except StopIteration as end:
            if end.value:
                active[name] = end.value


def _told(shims: dict[str, Shim], error: BaseException) -> BaseException:
    """Tell the shims that the module failed; one may have a better error."""
    for shim in shims.values():
        try:
            shim.throw(error)
        except BaseException as better:
            error = error if isinstance(better, StopIteration) else better
    return error


def _nothing() -> Shim:
    yield
    return None


@contextlib.contextmanager
def _forgiving(name: str) -> Iterator[None]:
    """Warn of a shim that fails: a Pyserini that has moved on must stay usable."""
    try:
        yield
    except QgdrError:
        raise
    except Exception as error:
        warnings.warn(f"qgdr-pyserini: {name} does not fit this Pyserini: {error!r}", stacklevel=3)


def run_main(shims: Sequence[str], loader: Any, namespace: dict[str, Any]) -> None:
    """Run a module as a program: its definitions inside its shims, then its ``if __name__ == …`` block.

    Parameters
    ----------
    shims
        Names of the shims.
    loader
        The module's own loader.
    namespace
        Where to run it, with the ``__spec__`` of the module.
    """
    name = namespace["__spec__"].name
    definitions, program = split(loader.get_source(name), loader.get_filename(name))
    module = sys.modules.get(namespace["__name__"])
    if module is not None and vars(module) is namespace:
        run_inside(shims, module, lambda _: exec(definitions, namespace))
    else:  # a tracer's own namespace, which no module stands for
        exec(definitions, namespace)
    exec(program, namespace)


def split(source: str, filename: str) -> tuple[CodeType, CodeType]:
    """Compile what stands before the first ``if __name__ == …``, and the rest.

    Examples
    --------
    >>> definitions, program = split("x = 1\\nif __name__ == 'main':\\n    x = 2\\n", "example.py")
    >>> space = {"__name__": "main"}
    >>> exec(definitions, space)
    >>> space["x"]
    1
    >>> exec(program, space)
    >>> space["x"]
    2
    """
    body = ast.parse(source, filename).body
    cut = next((i for i, statement in enumerate(body) if _asks_for_name(statement)), len(body))
    return _compiled(body[:cut], filename), _compiled(body[cut:], filename)


def _asks_for_name(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and any(
        isinstance(node, ast.Name) and node.id == "__name__" for node in ast.walk(statement.test)
    )


def _compiled(body: list[ast.stmt], filename: str) -> CodeType:
    return compile(ast.Module(body, type_ignores=[]), filename, "exec", dont_inherit=True)
