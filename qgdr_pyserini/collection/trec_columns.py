"""Lines of columns, as TREC's qrels and runs have them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from qgdr_pyserini.errors import InputError
from qgdr_pyserini.files import read_lines

_WHITESPACE = re.compile(r"[ \t\r\f\v]+")


def read_columns(path: str | os.PathLike[str], names: tuple[str, ...]) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and columns of every line that is not blank.

    Parameters
    ----------
    path
        The file, gzipped or not.
    names
        What the columns are called.

    Raises
    ------
    InputError
        If a line has more or fewer.
    """
    for number, line in read_lines(path):
        # `split()` alone would also cut at a no-break space, which a docid may hold.
        columns = line.split() if line.isascii() else _WHITESPACE.split(line.strip(" \t\r\f\v"))
        if len(columns) == len(names):
            yield number, columns
        elif columns and columns != [""]:
            wanted = f"needs {len(names)} columns '{' '.join(names)}'"
            raise InputError(f"{wanted}, has {len(columns)}; correct the line", path, number)
