"""Shims around a module that runs as a program, by ``python -m``."""

from __future__ import annotations

import ast
import sys
from collections.abc import Sequence
from types import CodeType
from typing import Any

from qgdr_pyserini.pyserini_plugin.running import run_inside


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
