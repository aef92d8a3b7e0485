"""Questions without a passage, which a teacher can teach all the same."""

from __future__ import annotations

import functools
from collections import Counter, defaultdict
from collections.abc import Iterable

from qgdr_pyserini.collection.tevatron import CandidateList
from qgdr_pyserini.collection.training_set import TrainingSet
from qgdr_pyserini.train.shares import place_by_digest


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
