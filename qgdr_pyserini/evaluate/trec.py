"""TREC qrels and runs: strict readers that name the line at fault.

ranx can read both formats, but a malformed line ends it with a ``ValueError`` that does not say where, of two
hits with one docid it keeps the last, it accepts NaN, and it leaves ties in any order. A comparison that goes
into print has to refuse the first three and to settle the fourth.
"""

from __future__ import annotations

import math
import os

import numpy as np

from qgdr_pyserini.collection.trec import Qrels, read_qrels
from qgdr_pyserini.collection.trec_columns import read_columns
from qgdr_pyserini.errors import InputError

__all__ = ["Qrels", "Run", "rank_hits", "read_qrels", "read_run"]

Run = dict[str, dict[str, float]]


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
    for number, (qid, _, docid, _, score, _) in read_columns(
        path, ("qid", "Q0", "docid", "rank", "score", "tag")
    ):
        hits = run.setdefault(qid, {})
        if docid in hits:
            raise InputError(
                f"{docid!r} is listed twice for query {qid!r}; keep one of the two lines", path, number
            )
        hits[docid] = _score(score, path, number)
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
    with np.errstate(over="ignore"):
        narrow = np.fromiter(hits.values(), np.float64, len(hits)).astype(np.float32).tolist()
    order = sorted(zip(narrow, hits, strict=True), reverse=True)
    return {docid: hits[docid] for _, docid in order}


def _score(text: str, path: str | os.PathLike[str], line: int) -> float:
    try:
        score = float(text)
    except ValueError:
        score = math.nan
    if not math.isfinite(score):
        raise InputError(f"score {text!r} is not a finite number; run the search again", path, line)
    return score
