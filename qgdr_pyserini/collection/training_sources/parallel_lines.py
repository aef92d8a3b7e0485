"""Two text files, of which equal lines say the same."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from qgdr_pyserini.errors import InputError
from qgdr_pyserini.files import read_lines


def read_parallel_lines(first: Path, second: Path) -> Iterator[tuple[str, str]]:
    """Yield the lines of both files together.

    Raises
    ------
    InputError
        If one has more lines than the other.
    """
    for one, other in zip_longest(read_lines(first), read_lines(second)):
        if one is None or other is None:
            longer, shorter = (second, first) if one is None else (first, second)
            number = (one or other)[0]
            raise InputError(
                f"has more lines than {shorter.name}, so they do not belong together; fetch both again",
                longer,
                number,
            )
        yield one[1], other[1]
