"""Questions of a set, gathered as a collection's parts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from qgdr_pyserini.collection.answers import Answers
from qgdr_pyserini.collection.corpus import Passage, read_corpus
from qgdr_pyserini.collection.trec import Judgement
from qgdr_pyserini.collection.writer import Contents
from qgdr_pyserini.errors import QgdrError


@dataclasses.dataclass(frozen=True, slots=True)
class Question:
    """A question with what is known about it.

    Parameters
    ----------
    qid
        Differs over all languages and is not all digits.
    lang, text
        The question.
    judgements
        Passage id and relevance.
    answers
        Strings that answer it; None in a set without answers.
    """

    qid: str
    lang: str
    text: str
    judgements: tuple[tuple[str, int], ...] = ()
    answers: tuple[str, ...] | None = None


def gather(
    name: str, source: str, licence: str, questions: Iterable[Question], passages: Iterable[Passage] | None
) -> Contents:
    """Sort questions into topics, judgements and answers; parameters as in `Contents`.

    Raises
    ------
    QgdrError
        If there is no question.
    """
    rows = sorted(questions, key=lambda row: row.lang)
    if not rows:
        raise QgdrError(f"{name}: no question is left; check --language and --split")
    topics: dict[str, dict[str, str]] = {}
    for row in rows:
        topics.setdefault(row.lang, {})[row.qid] = row.text
    return Contents(
        name=name,
        source=source,
        licence=licence,
        passages=passages,
        topics=topics,
        judgements=[Judgement(row.qid, docid, grade) for row in rows for docid, grade in row.judgements],
        answers=[Answers(row.qid, row.lang, row.answers) for row in rows if row.answers is not None],
    )


def read_corpora(files: Iterable[Path]) -> Iterator[Passage]:
    """Stream the passages of several files."""
    return chain.from_iterable(map(read_corpus, files))
