"""Scores that are kept: ids and numbers alone, small enough to pass on, so that none is computed twice."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping

from qgdr_pyserini.collection.tevatron import CandidateList
from qgdr_pyserini.errors import InputError
from qgdr_pyserini.files import atomic_text, read_lines

AnyPath = str | os.PathLike[str]

KnownScores = Mapping[tuple[str, str], float]
"""A teacher's scores by query id and docid."""

NOTHING_KNOWN: KnownScores = {}


def write_scores(path: AnyPath, rows: Iterable[CandidateList]) -> int:
    """Write the scores of all candidates, six digits each; return how many.

    Parameters
    ----------
    path
        ``query_id<TAB>docid<TAB>score`` a line; ``.gz`` too.
    rows
        Queries; candidates without a score are left out.
    """
    count = 0
    with atomic_text(path) as file:
        for row in rows:
            for item in row.candidates:
                if item.score is not None:
                    file.write(f"{row.query_id}\t{item.passage.docid}\t{item.score:.6g}\n")
                    count += 1
    return count


def read_scores(path: AnyPath) -> dict[tuple[str, str], float]:
    """Read what `write_scores` wrote.

    Raises
    ------
    InputError
        If the file is missing, or a line is not a query id, a docid and a finite number.
    """
    found: dict[tuple[str, str], float] = {}
    for number, line in read_lines(path):
        fields = line.split("\t")
        if len(fields) != 3:
            raise InputError(f"has {len(fields)} columns; needs query id, docid, score", path, number)
        found[fields[0], fields[1]] = _number(fields[2], path, number)
    return found


def _number(text: str, path: AnyPath, line: int) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"score {text!r} is no finite number; take the line out", path, line)
    return value
