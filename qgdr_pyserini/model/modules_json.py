"""``modules.json``: the parts of which sentence-transformers makes an encoder, one after the other."""

from __future__ import annotations

import dataclasses
from pathlib import Path, PurePosixPath
from typing import Any

from qgdr_pyserini.errors import InputError
from qgdr_pyserini.files import read_json

MODULES = "modules.json"

_THEIRS = "sentence_transformers."
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


def read_modules(folder: Path) -> list[Module]:
    """Read an encoder's parts: a transformer, pooling, and layers behind it.

    Parameters
    ----------
    folder
        The encoder's, with ``modules.json``.

    Raises
    ------
    InputError
        If the file is no list of modules, or a module is one that cannot be done here.
    """
    path = folder / MODULES
    content = read_json(path)
    if not isinstance(content, list) or not content:
        raise InputError("not a list of modules", path)
    modules = [_read(entry, path) for entry in content]
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


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds an object; empty if there is no such file."""
    if not path.is_file():
        return {}
    content = read_json(path)
    if not isinstance(content, dict):
        raise InputError("not a JSON object", path)
    return content


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
