"""Where recipes are, and how one is read: what it extends, and what the command line overrides."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qgdr_pyserini.errors import InputError, QgdrError
from qgdr_pyserini.model.registry import encoder_folders
from qgdr_pyserini.train.recipe_settings import Recipe

RECIPE_NAME = "recipe.toml"
_EXTENDS = "extends"


def load_recipe(name: str, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe and apply overrides.

    A recipe with ``extends = "NAME"`` has the settings of that one where it does not give its own.

    Parameters
    ----------
    name
        An encoder under ``encoders/``, a folder with a ``recipe.toml``, or a TOML file.
    overrides
        ``key=value`` with dotted keys and TOML values, such as ``distillation.steps=100``.

    Raises
    ------
    QgdrError
        If there is no such recipe, a key or value is wrong, or recipes extend each other in a ring.
    """
    path = find_recipe(name)
    values = _values(path, [])
    for override in overrides:
        _override(values, override)
    return Recipe.checked(values, path)


def find_recipe(name: str) -> Path:
    """Find a recipe's file by encoder name, folder or path."""
    places = [folder / name / RECIPE_NAME for folder in encoder_folders()]
    for path in [*places, Path(name) / RECIPE_NAME, Path(name)]:
        if path.is_file():
            return path
    known = ", ".join(recipe_names()) or "none"
    raise QgdrError(f"no recipe {name!r}; known: {known}; or give a TOML file")


def recipe_names() -> list[str]:
    """List the recipes under ``encoders/``."""
    found = {path.parent.name for folder in encoder_folders() for path in folder.glob(f"*/{RECIPE_NAME}")}
    return sorted(found)


def _values(path: Path, ring: list[Path]) -> dict[str, Any]:
    try:
        own = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"not TOML: {error}", path) from None
    base = own.pop(_EXTENDS, None)
    if base is None:
        return own
    if not isinstance(base, str):
        raise InputError(f"'extends' must name one recipe, not {base!r}", path)
    if path in ring:
        raise InputError("extends itself; take the line out in one of the recipes", path)
    return _merged(_values(_base(base, path), [*ring, path]), own)


def _base(name: str, path: Path) -> Path:
    """Find what a recipe extends: beside it, or as any recipe is found."""
    sibling = path.parent.parent / name / RECIPE_NAME
    return sibling if sibling.is_file() else find_recipe(name)


def _merged(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in own.items():
        before = merged.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            value = _merged(before, value)
        merged[key] = value
    return merged


def _override(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    *parents, last = key.strip().split(".")
    if not equals or not last:
        raise QgdrError(f"--set {override!r}: needs key=value, such as distillation.steps=100")
    group = values
    for parent in parents:
        group = group.setdefault(parent, {})
        if not isinstance(group, dict):
            raise QgdrError(f"--set {override!r}: {parent!r} is a value, not a group of settings")
    group[last] = _toml_value(text.strip())


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text  # a bare word is a string, as a shell user expects
