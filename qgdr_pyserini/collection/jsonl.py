"""JSON Lines: one object a line, every fault named by file and line; and files of any texts."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from qgdr_pyserini.errors import InputError
from qgdr_pyserini.files import atomic_text, read_lines

_JSON_LINES = (".jsonl", ".json")


def read_objects(path: str | os.PathLike[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the objects of a JSON Lines file, gzipped or not; blank lines are passed over.

    Parameters
    ----------
    path
        The file.

    Yields
    ------
    tuple of int and dict
        Line number from 1, and the object on that line.

    Raises
    ------
    InputError
        If the file cannot be read or a line is not a JSON object.
    """
    for number, line in read_lines(path):
        if line and not line.isspace():
            yield number, _parse(line, path, number)


def write_objects(path: str | os.PathLike[str], objects: Iterable[Mapping[str, Any]]) -> int:
    """Write one object a line, the file appearing only when complete; return how many."""
    count = 0
    with atomic_text(path) as file:
        for item in objects:
            file.write(json.dumps(item, ensure_ascii=False) + "\n")
            count += 1
    return count


def _parse(line: str, path: str | os.PathLike[str], number: int) -> dict[str, Any]:
    try:
        value = json.loads(line)
        if "\\u" in line:
            # An escape may spell half a surrogate pair: a string that no UTF-8 file can hold.
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        problem = f"malformed JSON ({error.msg}, column {error.colno}); one object a line is needed"
        raise InputError(problem, path, number) from None
    except UnicodeEncodeError:
        raise InputError(
            "holds half a surrogate pair (\\ud800-\\udfff); repair the text", path, number
        ) from None
    except (RecursionError, ValueError) as error:
        raise InputError(f"JSON beyond what Python reads ({error})", path, number) from None
    if not isinstance(value, dict):
        raise InputError("not a JSON object; each line must be one {…}", path, number)
    return value


def string_list(
    row: Mapping[str, Any], key: str, path: str | os.PathLike[str], line: int, *, optional: bool = False
) -> tuple[str, ...]:
    """Give a field that is a list of strings; nothing where it may be left out and is.

    Raises
    ------
    InputError
        If it is anything else.
    """
    value = row.get(key)
    if value is None and optional:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InputError(f"needs {key!r} as a list of strings", path, line)
    return tuple(value)


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
        If the file cannot be read, or a line of JSON Lines is not an object.
    """
    if Path(str(path).removesuffix(".gz")).suffix in _JSON_LINES:
        for _, row in read_objects(path):
            yield from (value for value in row.values() if isinstance(value, str))
    else:
        yield from (line for _, line in read_lines(path))
