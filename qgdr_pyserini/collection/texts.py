"""Files of any texts: those of JSON Lines, or of plain lines."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from qgdr_pyserini.collection.jsonl import read_objects
from qgdr_pyserini.files import read_lines

_JSON_LINES = (".jsonl", ".json")


def read_texts(path: str | os.PathLike[str]) -> Iterator[str]:
    """Yield the texts of a file, gzipped or not.

    Parameters
    ----------
    path
        JSON Lines by its name (``.jsonl``, ``.json``), of which every value that is text counts; of any other
        file, every line.

    Raises
    ------
    InputError
        If the file cannot be read, or a line of JSON Lines is no object.
    """
    if Path(str(path).removesuffix(".gz")).suffix in _JSON_LINES:
        for _, row in read_objects(path):
            yield from (value for value in row.values() if isinstance(value, str))
    else:
        yield from (line for _, line in read_lines(path))
