"""TREC qrels and runs: strict readers that name the line at fault.

ranx can read both formats, but a malformed line ends it with a ``ValueError`` that does not say where, of two
hits with one docid it keeps the last, it accepts NaN, and it leaves ties in any order. A comparison that goes
into print has to refuse the first three and to settle the fourth.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from operator import itemgetter

from qgdr_pyserini.errors import InputError
from qgdr_pyserini.files import read_lines

Qrels = dict[str, dict[str, int]]
Run = dict[str, dict[str, float]]

_GRADE = re.compile(r"-?[0-9]{1,3}")
_WHITESPACE = re.compile(r"[ \t\r\f\v]+")
_SCORE_THEN_DOCID = itemgetter(1, 0)


def read_qrels(path: str | os.PathLike[str]) -> Qrels:
    """Read relevance judgements, ``qid 0 docid grade`` a line.

    Parameters
    ----------
    path
        The file, gzipped or not; blank lines are passed over.

    Returns
    -------
    dict of str to dict of str to int
        Grade by docid by qid, in the file's order.

    Raises
    ------
    InputError
        If the file holds no judgement, or a line has not four columns, a grade that is no whole number of
        up to three digits, or a pair that was judged before.
    """
    qrels: Qrels = {}
    for number, (qid, _, docid, grade) in _rows(path, ("qid", "0", "docid", "grade")):
        judged = qrels.setdefault(qid, {})
        if docid in judged:
            raise InputError(f"{docid!r} is judged twice for query {qid!r}; keep one", path, number)
        if not _GRADE.fullmatch(grade):
            raise InputError(
                f"grade {grade!r} is not a whole number between -999 and 999; correct it", path, number
            )
        judged[docid] = int(grade)
    if not qrels:
        raise InputError("holds no judgements; needs lines of 'qid 0 docid grade'", path)
    return qrels


def read_run(path: str | os.PathLike[str]) -> Run:
    """Read a run, ``qid Q0 docid rank score tag`` a line, and rank it as trec_eval does.

    Parameters
    ----------
    path
        The file, gzipped or not; blank lines are passed over. Its rank column is not used.

    Returns
    -------
    dict of str to dict of str to float
        Score by docid by qid, every query's hits from the first to the last: by score, equal scores by
        docid, both descending. Empty for an empty file: BM25 may find nothing for a language's queries.

    Raises
    ------
    InputError
        If a line has not six columns, a score that is no finite number, or a
        docid that the query has already.
    """
    run: Run = {}
    for number, (qid, _, docid, _, score, _) in _rows(path, ("qid", "Q0", "docid", "rank", "score", "tag")):
        hits = run.setdefault(qid, {})
        if docid in hits:
            raise InputError(
                f"{docid!r} is listed twice for query {qid!r}; keep one of the two lines", path, number
            )
        hits[docid] = _score(score, path, number)
    return {qid: rank_hits(hits) for qid, hits in run.items()}


def rank_hits(hits: dict[str, float]) -> dict[str, float]:
    """Order one query's hits as trec_eval does: by score, equal scores by docid, both descending.

    Examples
    --------
    >>> list(rank_hits({"a": 1.0, "b": 2.0, "c": 1.0}))
    ['b', 'c', 'a']
    """
    return dict(sorted(hits.items(), key=_SCORE_THEN_DOCID, reverse=True))


def _rows(path: str | os.PathLike[str], names: tuple[str, ...]) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and columns of every line that is not blank."""
    for number, line in read_lines(path):
        # `split()` alone would also cut at a no-break space, which a docid may hold.
        columns = line.split() if line.isascii() else _WHITESPACE.split(line.strip(" \t\r\f\v"))
        if len(columns) == len(names):
            yield number, columns
        elif columns and columns != [""]:
            wanted = f"needs {len(names)} columns '{' '.join(names)}'"
            raise InputError(f"{wanted}, has {len(columns)}; correct the line", path, number)


def _score(text: str, path: str | os.PathLike[str], line: int) -> float:
    try:
        score = float(text)
    except ValueError:
        score = math.nan
    if not math.isfinite(score):
        raise InputError(f"score {text!r} is not a finite number; run the search again", path, line)
    return score
