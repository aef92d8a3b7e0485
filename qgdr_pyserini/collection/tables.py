"""Rows of the tables that the `datasets` library keeps: Parquet, its saved folders, and sets on the hub."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from qgdr_pyserini.collection.jsonl import read_objects
from qgdr_pyserini.errors import InputError, QgdrError, first_line

HUB = "hub:"
"""Before the name of a set on the Hugging Face hub."""

TABLES = (".parquet", ".arrow")

_SAVED = "state.json"
_SPLITS = "dataset_dict.json"
_BLOCK = 1024
_HUB_NAME = re.compile(r"(?P<name>[^,@]+)(?:,(?P<config>[^,@]+))?(?:@(?P<split>[^,@]+))?")


def read_table(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the rows of a Parquet or Arrow file with their numbers from 1, a block in memory at a time.

    Raises
    ------
    InputError
        If it is missing, or no such file.
    """
    import pyarrow

    number = 0
    try:
        for batch in _batches(path):
            for row in batch.to_pylist():
                number += 1
                yield number, row
    except FileNotFoundError:
        raise InputError("no such file", path) from None
    except pyarrow.ArrowException as error:
        raise InputError(f"not a {path.suffix[1:]} file ({first_line(error)})", path) from None


def read_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the rows of a table or the objects of a JSON Lines file, with their numbers from 1.

    Raises
    ------
    InputError
        If it cannot be read as what its name says it is.
    """
    return read_table(path) if path.suffix in TABLES else read_objects(path)


def _batches(path: Path) -> Iterator[Any]:
    import pyarrow
    import pyarrow.parquet

    if path.suffix == ".parquet":
        with path.open("rb") as raw:
            yield from pyarrow.parquet.ParquetFile(raw).iter_batches(_BLOCK)
    else:
        with pyarrow.memory_map(os.fspath(path)) as raw:
            yield from pyarrow.ipc.open_stream(raw)


def saved_files(folder: Path) -> list[Path] | None:
    """List the files of a folder that ``Dataset.save_to_disk`` wrote, in order; None for any other folder.

    Raises
    ------
    InputError
        If it holds splits, one of which has to be named.
    """
    if (folder / _SPLITS).is_file():
        splits = ", ".join(sorted(place.parent.name for place in folder.glob(f"*/{_SAVED}")))
        raise InputError(f"holds several splits; name the folder of one: {splits}", folder)
    if not (folder / _SAVED).is_file():
        return None
    try:
        state = json.loads((folder / _SAVED).read_text(encoding="utf-8"))
        return [folder / item["filename"] for item in state["_data_files"]]
    except (ValueError, KeyError, TypeError):
        raise InputError("not the state of a saved dataset; save it again", folder / _SAVED) from None


def read_hub(name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Stream the rows of a set on the hub, with their numbers from 1; nothing is kept on disk.

    Parameters
    ----------
    name
        ``hub:NAME``, ``hub:NAME,CONFIG``, ``hub:NAME@SPLIT`` or ``hub:NAME,CONFIG@SPLIT``; the split is
        ``train`` where none is named. NAME may be a local folder of files that `datasets` reads.

    Raises
    ------
    QgdrError
        If there is no such set, or it cannot be reached.
    """
    match = _HUB_NAME.fullmatch(name.removeprefix(HUB))
    if match is None:
        raise QgdrError(f"{name}: write hub:NAME, hub:NAME,CONFIG or hub:NAME,CONFIG@SPLIT")
    import datasets

    try:
        rows = datasets.load_dataset(
            match["name"], match["config"], split=match["split"] or "train", streaming=True
        )
        yield from enumerate(rows, 1)
    except QgdrError:
        raise
    except Exception as error:  # the library raises whatever it meets on the way: network, files, scripts
        raise QgdrError(f"{name}: cannot be read ({first_line(error)})") from None
