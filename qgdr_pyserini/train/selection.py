"""Which queries are taken: shares of them by language, and translated questions without a passage."""

from __future__ import annotations

import functools
import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence

from qgdr_pyserini.collection.tevatron import CandidateList
from qgdr_pyserini.collection.training_set import TrainingSet


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
    """Return what ids are sorted by, for a shuffled order that is the same everywhere."""
    return hashlib.sha256(name.encode()).digest()


def unlabelled_rows(data: TrainingSet, held_out: Iterable[CandidateList], limit: int) -> list[CandidateList]:
    """Take translated questions that no passage is known for, in English and in every other language.

    Languages have the same questions as far as they can: first those that are asked in most languages, in
    the order of a digest of the English. A teacher that reads English then scores each of them once.

    Parameters
    ----------
    data
        With translated questions.
    held_out
        Queries that are measured on; what is asked in one of them is left out, as is what is asked in a
        query of the data.
    limit
        Questions of each language.

    Returns
    -------
    list of CandidateList
        Without positives and negatives, languages together.
    """
    asked = {(q.lang, q.query) for q in data.queries} | {(row.lang, row.query) for row in held_out}
    by_language: dict[str, dict[str, str]] = defaultdict(dict)
    for lang, text, english, _ in data.questions:
        if (lang, text) not in asked and ("en", english) not in asked:
            by_language["en"][english] = english
            by_language[lang].setdefault(text, english)
    spread = Counter(english for texts in by_language.values() for english in set(texts.values()))

    def place(lang: str, text: str) -> tuple[int, bytes, str]:
        english = by_language[lang][text]
        return -spread[english], place_by_digest(english), text

    return [
        CandidateList(_id(lang, text), text, (), (), lang)
        for lang, texts in sorted(by_language.items())
        for text in sorted(texts, key=functools.partial(place, lang))[:limit]
    ]


def _id(lang: str, text: str) -> str:
    return f"unlabelled-{lang}-{place_by_digest(text)[:8].hex()}"
