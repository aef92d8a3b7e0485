"""``modules.json``: the parts of which sentence-transformers makes an encoder, one after the other."""

from __future__ import annotations

import dataclasses
from pathlib import Path, PurePosixPath
from typing import Any

from qgdr_pyserini.errors import InputError
from qgdr_pyserini.files import read_json

MODULES = "modules.json"

_THEIRS = "sentence_transformers."
_ROUTERS = ("Router", "Asym")
_ROUTER_FILES = ("router_config.json", "config.json")
_ROUTES = {"query": ("query",), "passage": ("document", "passage", "corpus")}
"""The names of a router's ways, by what goes there."""
_BEHIND_POOLING = ("Dense", "Normalize", "Dropout")


@dataclasses.dataclass(frozen=True, slots=True)
class Module:
    """A part of an encoder.

    Parameters
    ----------
    kind
        The name of its class, such as ``Pooling``.
    folder
        Where its settings and weights are.
    """

    kind: str
    folder: Path


def read_modules(folder: Path, role: str | None = None) -> list[Module]:
    """Read an encoder's parts: a transformer, pooling, and layers behind it.

    Parameters
    ----------
    folder
        The encoder's, with ``modules.json``.
    role
        ``query`` or ``passage``: which way to take where a router sends questions and passages different
        ways.

    Raises
    ------
    InputError
        If the file is no list of modules, a module is one that cannot be done here, or a router has no such
        way.
    """
    path = folder / MODULES
    modules = [part for module in _listed(path) for part in _on_the_way(module, role, path)]
    for place, module in enumerate(modules):
        allowed = (("Transformer",), ("Pooling",))[place] if place < 2 else _BEHIND_POOLING
        if module.kind not in allowed:
            raise InputError(
                f"module {place}, {module.kind}, cannot be done here; what can: Transformer, Pooling, "
                f"then any of {', '.join(_BEHIND_POOLING)}",
                path,
            )
    if len(modules) < 2:
        raise InputError("has no Pooling, so it makes no vector of a text", path)
    return modules


def has_routes(folder: Path) -> bool:
    """Tell whether an encoder with ``modules.json`` sends questions and passages different ways."""
    return any(module.kind in _ROUTERS for module in _listed(folder / MODULES))


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds an object; empty if there is no such file."""
    if not path.is_file():
        return {}
    content = read_json(path)
    if not isinstance(content, dict):
        raise InputError("not a JSON object", path)
    return content


def _listed(path: Path) -> list[Module]:
    content = read_json(path)
    if not isinstance(content, list) or not content:
        raise InputError("not a list of modules", path)
    return [_read(entry, path) for entry in content]


def _on_the_way(module: Module, role: str | None, path: Path) -> list[Module]:
    """Put in a router's place what a role meets there."""
    if module.kind not in _ROUTERS:
        return [module]
    if role is None:
        raise InputError("has one encoder for questions and one for passages, where one is needed", path)
    file = next((module.folder / name for name in _ROUTER_FILES if (module.folder / name).is_file()), path)
    content = read_object(file) if file != path else {}
    ways, kinds = content.get("structure"), content.get("types")
    if not isinstance(ways, dict) or not isinstance(kinds, dict):
        raise InputError("has a router, but no router_config.json with 'structure' and 'types'", path)
    way = next((ways[name] for name in _ROUTES[role] if name in ways), None)
    if not isinstance(way, list):
        raise InputError(f"its router has no way called {' or '.join(_ROUTES[role])}", file)
    return [_read({"type": kinds.get(name), "path": name}, file) for name in way]


def _read(entry: Any, path: Path) -> Module:
    kind, place = (entry.get(key) for key in ("type", "path")) if isinstance(entry, dict) else (None, None)
    if not isinstance(kind, str) or not isinstance(place, str):
        raise InputError(f"a module needs 'type' and 'path', not {entry!r}", path)
    if not kind.startswith(_THEIRS):
        raise InputError(f"module {kind!r} is code of its own, which is not run here", path)
    inside = PurePosixPath(place)
    if inside.is_absolute() or ".." in inside.parts:
        raise InputError(f"module path {place!r} leads out of the folder", path)
    return Module(kind.rpartition(".")[2], path.parent / inside)
