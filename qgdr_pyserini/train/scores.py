"""Scores of queries' candidates: computed by a teacher, or known already and kept as ids and numbers."""

from __future__ import annotations

import dataclasses
import functools
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.collection.tevatron import Candidate, CandidateList
from qgdr_pyserini.errors import InputError
from qgdr_pyserini.files import atomic_text, digest_files, read_lines
from qgdr_pyserini.model.teacher import Pair, Query, Teacher

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


class ScoreFiles:
    """Scores that were given already, in files that `write_scores` wrote; read when first needed.

    Parameters
    ----------
    files
        Of several scores of one pair, the last file's counts.
    """

    def __init__(self, files: Iterable[str]) -> None:
        self._files = [Path(file) for file in files]

    @functools.cached_property
    def fingerprint(self) -> str:
        """Digest of the files."""
        return digest_files(self._files)

    @functools.cached_property
    def scores(self) -> KnownScores:
        """By query id and docid; `InputError` where a file is wrong."""
        return {pair: score for file in self._files for pair, score in read_scores(file).items()}


def _number(text: str, path: AnyPath, line: int) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"score {text!r} is not a finite number; take the line out", path, line)
    return value


def as_it_is(row: CandidateList) -> Query:
    """Ask a row's own question; a row that does not name its language is in English."""
    return Query(row.query, row.lang or "en")


def score_rows(
    rows: Sequence[CandidateList],
    teacher: Teacher,
    ask: Callable[[CandidateList], Query] = as_it_is,
    known: KnownScores = NOTHING_KNOWN,
) -> list[CandidateList]:
    """Score queries together, each distinct passage and each distinct pair being one for the teacher.

    Parameters
    ----------
    rows
        Queries with candidates.
    teacher
        What scores.
    ask
        What the teacher reads as a row's question.
    known
        Scores by query id and docid that are taken as they are.
    """
    places: dict[Passage, int] = {}
    queries: dict[Query, int] = {}
    pairs: dict[Pair, int] = {}

    def place(row: CandidateList, item: Candidate) -> int | None:
        """Tell which pair it is; None where the score is known."""
        if (row.query_id, item.passage.docid) in known:
            return None
        query = queries.setdefault(ask(row), len(queries))
        return pairs.setdefault(Pair(query, places.setdefault(item.passage, len(places))), len(pairs))

    asked = [[place(row, item) for item in row.candidates] for row in rows]
    scores = teacher.score_pairs(list(queries), list(places), list(pairs)).tolist() if pairs else []
    return [
        with_scores(
            row,
            [
                known[row.query_id, item.passage.docid] if i is None else scores[i]
                for item, i in zip(row.candidates, own, strict=True)
            ],
        )
        for row, own in zip(rows, asked, strict=True)
    ]


def with_scores(row: CandidateList, scores: Sequence[float]) -> CandidateList:
    """Give the candidates of a query their scores, the positives first."""
    items = [Candidate(item.passage, score) for item, score in zip(row.candidates, scores, strict=True)]
    count = len(row.positives)
    return dataclasses.replace(row, positives=tuple(items[:count]), negatives=tuple(items[count:]))
