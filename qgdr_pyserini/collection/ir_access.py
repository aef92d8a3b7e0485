"""What stands between a user and a data set of `ir_datasets`: terms to accept, files to ask an owner for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

_DEEPEST = 12


def terms_of_use(handle: Any, name: str) -> str | None:
    """Find the agreement that a set's owner asks users for, in the library's words; None if there is none.

    Parameters
    ----------
    handle
        The library's object.
    name
        The set's name, whose first part is its family; some families state terms beside their files.
    """
    for download in _downloads(handle):
        if download.dua:
            return str(download.dua)
    from ir_datasets import datasets

    family = name.split("/")[0]
    modules = (module for module in vars(datasets).values() if getattr(module, "NAME", None) == family)
    return next((module.DUA for module in modules if hasattr(module, "DUA")), None)


def owner_instructions(handle: Any) -> str | None:
    """Say how to get the files that only their owner gives, in the library's words; None if all are there."""
    from ir_datasets.util.download import LocalDownload

    for download in _downloads(handle):
        places = download.mirrors
        if not all(isinstance(place, LocalDownload) and place._message for place in places):
            continue
        if not any(Path(file).exists() for file in (place.path(force=False) for place in places)):
            return " ".join(f"{places[0]._message.strip().rstrip('.')}.".split())
    return None


def _downloads(thing: Any, seen: set[int] | None = None, depth: int = 0) -> Iterator[Any]:
    """Find the files that a set is read from: its readers hold them, wrapped in each other.

    The library has no way to ask.
    """
    from ir_datasets.util.download import Download

    seen = set() if seen is None else seen
    if id(thing) in seen or depth > _DEEPEST:
        return
    seen.add(id(thing))
    if isinstance(thing, Download):
        yield thing
    for part in _parts(thing):
        yield from _downloads(part, seen, depth + 1)


def _parts(thing: Any) -> list[Any]:
    if isinstance(thing, (list, tuple)):
        return list(thing)
    if isinstance(thing, dict):
        return list(thing.values())
    if type(thing).__module__.split(".")[0] == "ir_datasets" and hasattr(thing, "__dict__"):
        return list(vars(thing).values())
    return []
