"""A share of the queries, to see how a model fares with few."""

from __future__ import annotations

import functools
import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from qgdr_pyserini.collection.tevatron import CandidateList


def take_share(rows: Sequence[CandidateList], share: float) -> list[CandidateList]:
    """Keep a share of each language's queries, chosen by a digest of their ids; at least one of each.

    A smaller share is part of every larger one.

    Parameters
    ----------
    rows
        Queries.
    share
        Above 0, up to 1.

    Returns
    -------
    list of CandidateList
        In the order given.
    """
    kept = first_of_each_language(rows, lambda count: max(1, round(share * count)))
    return [row for row in rows if row.query_id in kept]


def first_of_each_language(rows: Iterable[CandidateList], number: Callable[[int], int]) -> set[str]:
    """Choose queries of each language, the first by a digest of their ids, less the language.

    So parallel questions are chosen together: a teacher that reads English scores them once, and no question
    without a label in one language has it in another.

    Parameters
    ----------
    rows
        Queries.
    number
        How many to choose of so many.

    Returns
    -------
    set of str
        Their ids.
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        groups[row.lang].append(row.query_id)
    return {
        qid
        for lang, group in groups.items()
        for qid in sorted(group, key=functools.partial(_place, lang))[: number(len(group))]
    }


def _place(lang: str, query_id: str) -> tuple[bytes, str]:
    return place_by_digest(question_name(query_id, lang)), query_id


def question_name(query_id: str, lang: str) -> str:
    """Take the language off an id: what the ids of parallel questions have in common.

    Examples
    --------
    >>> question_name("56be-da", "da"), question_name("nq-7-zh_cn", "zh"), question_name("nq-7", "en")
    ('56be', 'nq-7', 'nq-7')
    >>> question_name("x-dev-bem-0", "bem")
    'x-dev-bem-0'
    """
    return re.sub(rf"-{re.escape(lang)}(_\w+)?$", "", query_id) if lang else query_id


def place_by_digest(name: str) -> bytes:
    """Return what ids are sorted by, for an order of chance that is the same everywhere."""
    return hashlib.sha256(name.encode()).digest()
