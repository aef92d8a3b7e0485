"""Answer strings: what a passage has to contain to answer a question."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable
from typing import Any

from qgdr_pyserini.collection.jsonl import read_objects, string_list, write_objects
from qgdr_pyserini.errors import InputError


@dataclasses.dataclass(frozen=True, slots=True)
class Answers:
    """The answers to one question.

    Parameters
    ----------
    qid
        The question's id.
    lang
        The question's language; the answers are in the corpus's.
    answers
        Strings, any of which answers it.
    """

    qid: str
    lang: str
    answers: tuple[str, ...]


def read_answers(path: str | os.PathLike[str]) -> dict[str, Answers]:
    """Read ``{"id", "lang", "answers": [...]}`` lines.

    Returns
    -------
    dict of str to Answers
        By qid, in the file's order.

    Raises
    ------
    InputError
        If the file cannot be read, a field is missing or of another type, or an id is used twice.
    """
    found: dict[str, Answers] = {}
    for line, row in read_objects(path):
        item = _answers(row, path, line)
        if item.qid in found:
            raise InputError(f"duplicate id {item.qid!r}; one line a question is needed", path, line)
        found[item.qid] = item
    return found


def write_answers(path: str | os.PathLike[str], answers: Iterable[Answers]) -> int:
    """Write answers, the file appearing only when complete; return how many questions."""
    rows = ({"id": item.qid, "lang": item.lang, "answers": list(item.answers)} for item in answers)
    return write_objects(path, rows)


def _answers(row: dict[str, Any], path: str | os.PathLike[str], line: int) -> Answers:
    for key in ("id", "lang"):
        if not isinstance(row.get(key), str) or not row[key]:
            raise InputError(f"needs {key!r} as a string that is not empty", path, line)
    return Answers(row["id"], row["lang"], string_list(row, "answers", path, line))
