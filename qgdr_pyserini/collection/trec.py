"""Relevance judgements in TREC's format."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import NamedTuple

from qgdr_pyserini.collection.trec_columns import read_columns
from qgdr_pyserini.errors import InputError, QgdrError
from qgdr_pyserini.files import atomic_text

Qrels = dict[str, dict[str, int]]
"""Grade by docid by qid."""

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
        If the file holds no judgement, or a line has not four columns, a grade that is no whole number of
        up to three digits (``1.0`` is one), or a pair that was judged before.
    """
    qrels: Qrels = {}
    for number, (qid, _, docid, grade) in read_columns(path, ("qid", "0", "docid", "grade")):
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
            _check((qid, docid), path)
            file.write(f"{qid} 0 {docid} {relevance}\n")
            count += 1
    return count


def _check(names: tuple[str, ...], path: str | os.PathLike[str]) -> None:
    for name in names:
        if name.split() != [name]:
            raise QgdrError(f"{os.fspath(path)}: id {name!r} is empty or holds whitespace; replace it")
