"""TREC's files: qrels and runs, each with one strict reader, which names the line at fault, and one writer.

ranx reads both formats too, but a malformed line ends it with a ``ValueError`` that does not say where, of
two hits with one docid it keeps the last, it accepts NaN, and it leaves ties in any order. A comparison that
goes into print has to refuse the first three and to settle the fourth.
"""

from __future__ import annotations

import math
import os
import re
from array import array
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from qgdr_pyserini.errors import InputError, QgdrError
from qgdr_pyserini.files import atomic_text, read_lines

Qrels = dict[str, dict[str, int]]
"""Grade by docid by qid."""

Run = dict[str, dict[str, float]]
"""Score by docid by qid; of a run that was read, hits in rank order."""

_WHITESPACE = re.compile(r"[ \t\r\f\v]+")
_GRADE = re.compile(r"(-?[0-9]{1,3})(\.0*)?")


class Judgement(NamedTuple):
    """A question, a passage, and how relevant it is to it (0: not at all)."""

    qid: str
    docid: str
    relevance: int = 1


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
        If the file holds no judgement, or a line has not four columns, a grade that is not a whole number of
        up to three digits (``1.0`` is one), or a pair that was judged before.
    """
    qrels: Qrels = {}
    for number, (qid, _, docid, grade) in _read_columns(path, ("qid", "0", "docid", "grade")):
        judged = qrels.setdefault(qid, {})
        if docid in judged:
            raise InputError(f"{docid!r} is judged twice for query {qid!r}; keep one", path, number)
        whole = _GRADE.fullmatch(grade)
        if whole is None:
            raise InputError(
                f"grade {grade!r} is not a whole number between -999 and 999; correct it", path, number
            )
        judged[docid] = int(whole[1])
    if not qrels:
        raise InputError("holds no judgements; needs lines of 'qid 0 docid grade'", path)
    return qrels


def write_qrels(path: str | os.PathLike[str], judgements: Iterable[Judgement]) -> int:
    """Write ``qid 0 docid relevance`` a line; the file appears only when complete.

    Parameters
    ----------
    path
        Where to.
    judgements
        What to write, in this order.

    Returns
    -------
    int
        Number of judgements.

    Raises
    ------
    QgdrError
        If an id is empty or holds whitespace, which the format cannot hold.
    """
    count = 0
    with atomic_text(path) as file:
        for qid, docid, relevance in judgements:
            _refuse_bad_ids((qid, docid), path)
            file.write(f"{qid} 0 {docid} {relevance}\n")
            count += 1
    return count


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
        If a line has not six columns, a score that is not finite (NaN or infinite), or a docid
        that the query has already.
    """
    run: Run = {}
    for number, (qid, _, docid, _, score, _) in _read_columns(
        path, ("qid", "Q0", "docid", "rank", "score", "tag")
    ):
        hits = run.setdefault(qid, {})
        if docid in hits:
            raise InputError(
                f"{docid!r} is listed twice for query {qid!r}; keep one of the two lines", path, number
            )
        hits[docid] = _finite(score, path, number)
    return {qid: rank_hits(hits) for qid, hits in run.items()}


def rank_hits(hits: dict[str, float]) -> dict[str, float]:
    """Order one query's hits as trec_eval does: by score, equal scores by docid, both descending.

    trec_eval keeps a score in 32 bits, so that two which differ in their ninth digit are equal.

    Examples
    --------
    >>> list(rank_hits({"a": 1.0, "b": 2.0, "c": 1.0}))
    ['b', 'c', 'a']
    >>> list(rank_hits({"a": 1.00000001, "b": 1.0}))
    ['b', 'a']
    """
    narrow = array("f", hits.values()).tolist()
    order = sorted(zip(narrow, hits, strict=True), reverse=True)
    return {docid: hits[docid] for _, docid in order}


def write_run(
    path: str | os.PathLike[str],
    results: Iterable[tuple[str, Iterable[tuple[str, float]]]],
    tag: str,
    *,
    decimals: int | None = 6,
) -> int:
    """Write hits as a TREC run, which appears only when complete.

    Parameters
    ----------
    path
        Where to; a name ending in ``.gz`` is compressed.
    results
        Qids with their hits, docid and score, best first.
    tag
        What the run is called.
    decimals
        Of the scores; None writes them as they are.

    Returns
    -------
    int
        Number of queries.
    """
    count = 0
    with atomic_text(path) as file:
        for qid, hits in results:
            count += 1
            for rank, (docid, score) in enumerate(hits, 1):
                text = repr(score) if decimals is None else f"{score:.{decimals}f}"
                file.write(f"{qid} Q0 {docid} {rank} {text} {tag}\n")
    return count


def _read_columns(path: str | os.PathLike[str], names: tuple[str, ...]) -> Iterator[tuple[int, list[str]]]:
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


def _refuse_bad_ids(names: tuple[str, ...], path: str | os.PathLike[str]) -> None:
    for name in names:
        if name.split() != [name]:
            raise QgdrError(f"{os.fspath(path)}: id {name!r} is empty or holds whitespace; replace it")


def _finite(text: str, path: str | os.PathLike[str], line: int) -> float:
    try:
        score = float(text)
    except ValueError:
        score = math.nan
    if not math.isfinite(score):
        raise InputError(f"score {text!r} is not a finite number; run the search again", path, line)
    return score
