"""Importing Pyserini without its catalogue of prebuilt indexes."""

from __future__ import annotations

import builtins
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

from qgdr_pyserini.pyserini_plugin.network import NoNetwork, connection, refuse
from qgdr_pyserini.pyserini_plugin.running import Shim

VERSIONS = ">=2.4"


def load_catalogue_when_asked(module: ModuleType) -> Shim:
    """Let the catalogue of prebuilt indexes wait until a prebuilt index is asked for.

    Upstream: `pyserini.prebuilt_index_info` loads its tables from raw.githubusercontent.com when
    they are first read (2.4.0), but reads two entries while it is imported, for two aliases. So
    every import of Pyserini fetches five files, and fails without network with a ``URLError``. A
    name is also looked up in them before a local index is opened by the server.
    https://github.com/castorini/pyserini/blob/v2.4.0/pyserini/prebuilt_index_info.py

    Entries read during the import become `Later`. Afterwards a table that cannot be loaded holds no
    name, so that local indexes work; listing it or reading an entry says that it needs the network.
    """
    importing = [True]  # emptied once it is over
    waiting: list[type] = []

    def build_class(body: Any, name: str, *bases: Any, **keywords: Any) -> Any:
        made = builtins.__build_class__(body, name, *bases, **keywords)
        if isinstance(made, type) and issubclass(made, Mapping):
            _make_patient(made, importing)
            waiting.append(made)
        return made

    # The builtins of this one module: its classes are changed as they are made, and nothing else is.
    module.__dict__["__builtins__"] = {**vars(builtins), "__build_class__": build_class}
    try:
        yield
    finally:
        module.__dict__["__builtins__"] = vars(builtins)
        importing.clear()
    return "prebuilt indexes are looked up when one is asked for" if waiting else None


class Later(Mapping[str, Any]):
    """An entry of a table that is loaded when the entry is read.

    Parameters
    ----------
    table
        The table.
    key
        The entry's name.
    """

    def __init__(self, table: Mapping[str, Any], key: str) -> None:
        self._table = table
        self._key = key

    def __getitem__(self, name: str) -> Any:
        return self._table[self._key][name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._table[self._key])

    def __len__(self) -> int:
        return len(self._table[self._key])


def _make_patient(table: Any, importing: list[bool]) -> None:
    """Change a class of tables, in place."""
    read = table.__getitem__

    def read_or_wait(self: Any, key: str) -> Any:
        if importing:
            return Later(self, key)
        entry = read(self, key)
        return dict(entry) if isinstance(entry, Later) else entry

    table.__getitem__ = read_or_wait
    if hasattr(table, "_load"):
        _forgive_absence(table)


def _forgive_absence(table: Any) -> None:
    """Let a table that cannot be loaded hold nothing, and say why it cannot be read."""
    load, holds = table._load, table.__contains__

    def load_or_refuse(self: Any) -> Any:
        if self._info is None and not connection.failure:
            try:
                return load(self)
            except (OSError, ValueError) as error:  # ValueError: a log-in page in place of JSON
                connection.failed(error)
        if self._info is None:
            refuse("the catalogue of prebuilt indexes has to be fetched, and local indexes need none of it")
        return self._info

    def holds_if_there(self: Any, key: object) -> bool:
        try:
            return bool(holds(self, key))
        except NoNetwork:
            return False

    table._load, table.__contains__ = load_or_refuse, holds_if_there
