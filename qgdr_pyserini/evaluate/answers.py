"""Metrics that look for answers in passages, answer recall among them.

Answer recall is how often one of the first k passages has an answer. Matching is that of dense passage
retrieval (Karpukhin et al., EMNLP 2020), used for MKQA too: passage text and answer are normalised (NFD), cut
into runs of letters, marks and numbers and single other signs, and lower-cased; the answer's tokens have to
stand in the passage's in a row. R@2kt and R@5kt are in `xor_retrieve`.
"""

from __future__ import annotations

import functools
import os
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import regex
from numpy.typing import NDArray

from qgdr_pyserini.collection.answers import Answers, read_answers
from qgdr_pyserini.collection.corpus import read_corpus
from qgdr_pyserini.collection.trec import Run
from qgdr_pyserini.errors import InputError, QgdrError
from qgdr_pyserini.evaluate.systems import System
from qgdr_pyserini.evaluate.xor_retrieve import (
    TokenizedTexts,
    has_sentence_model,
    score_budget,
    span_answers,
    token_budget,
)

_TOKEN = regex.compile(r"[\p{L}\p{N}\p{M}]+|[^\p{Z}\p{C}]")
_ANSWER_RECALL = re.compile(r"answer-recall@([1-9][0-9]{0,8})")


def answer_cut(metric: str) -> int | None:
    """Tell how many passages a metric looks at; None if it is not of this kind.

    Examples
    --------
    >>> answer_cut("answer-recall@20"), answer_cut("recall@20")
    (20, None)
    """
    match = _ANSWER_RECALL.fullmatch(metric)
    return int(match.group(1)) if match else None


def has_answer(text: str, answers: Sequence[str]) -> bool:
    """Tell whether any answer's tokens stand in a row in a text; an answer without tokens never does.

    Examples
    --------
    >>> has_answer("She was born in São Paulo, Brazil.", ["sao paulo", "SÃO PAULO"])
    True
    >>> has_answer("Parisian", ["Paris"])
    False
    """
    found = _tokens(text)
    return any(_tokens(answer).strip() and _tokens(answer) in found for answer in answers)


@functools.lru_cache(maxsize=100_000)
def _tokens(text: str) -> str:
    """Write a text's tokens between single spaces, which none of them holds."""
    return f" {' '.join(_TOKEN.findall(unicodedata.normalize('NFD', text)))} ".lower()


def score_answer_recall(
    run: Run, qids: Sequence[str], answers: Mapping[str, Answers], texts: Mapping[str, str], cut: int
) -> NDArray[np.float64]:
    """Score answer recall at ``cut``.

    Parameters
    ----------
    run
        Hits in rank order.
    qids
        Questions with answers.
    answers
        By qid.
    texts
        Text, without title, by docid.
    cut
        Number of passages to look at.

    Returns
    -------
    array
        1 where a passage has an answer, else 0, also for a question without hits; shape (questions,).
    """
    return np.array(
        [
            any(has_answer(texts[docid], answers[qid].answers) for docid in islice(run.get(qid, {}), cut))
            for qid in qids
        ],
        dtype=np.float64,
    )


@dataclass(frozen=True)
class Answered:
    """The gold of metrics that look for answers.

    Attributes
    ----------
    file
        Where the answers were read.
    answers
        By qid.
    texts
        Text, without title, of every passage that a system lists, by docid.
    """

    file: str
    answers: Mapping[str, Answers]
    texts: Mapping[str, str]

    @functools.cached_property
    def tokenized(self) -> TokenizedTexts:
        """The texts cut into words."""
        return TokenizedTexts(self.texts)

    def questions(self, metric: str) -> list[str]:
        """List the questions that a metric is measured on.

        Raises
        ------
        QgdrError
            If there is none.
        """
        spans = token_budget(metric) is not None
        qids = [qid for qid, item in self.answers.items() if (span_answers(item) if spans else item.answers)]
        if not qids:
            raise QgdrError(f"{self.file}: no question has an answer that {metric} could look for")
        return qids

    def remarks(self, metrics: Iterable[str]) -> tuple[str, ...]:
        """Say which questions are left out, and where counting words is not exactly NLTK's."""
        remarks = []
        for metric in metrics:
            spans = token_budget(metric) is not None
            skipped = len(self.answers) - len(self.questions(metric)) if spans or answer_cut(metric) else 0
            if skipped:
                what = "answer but yes or no" if spans else "answer"
                questions = "question" if skipped == 1 else "questions"
                remarks.append(f"{metric} leaves out {skipped:,} {questions} without any {what}.")
        if any(token_budget(metric) for metric in metrics) and not has_sentence_model():
            remarks.append(
                "Tokens were counted without NLTK's sentence model, so about 1 in 5,000 may differ from the"
                " official count; for the exact one run: python -m nltk.downloader punkt_tab"
            )
        return tuple(remarks)


def read_answered(
    answers: str | os.PathLike[str], corpus: str | os.PathLike[str], systems: Iterable[System]
) -> Answered:
    """Read answers, and from the corpus the passages that systems list.

    Raises
    ------
    InputError
        If a file cannot be read, there is no question, or the corpus lacks a passage.
    """
    found = read_answers(answers)
    if not found:
        raise InputError("holds no questions; needs lines of {id, lang, answers}", answers)
    texts = {docid: passage for docid, (_, passage) in read_passages(corpus, systems).items()}
    return Answered(os.fspath(answers), found, texts)


def read_passages(corpus: str | os.PathLike[str], systems: Iterable[System]) -> dict[str, tuple[str, str]]:
    """Read title and text of every passage that a system lists, by docid.

    Raises
    ------
    InputError
        If the corpus cannot be read or lacks one.
    """
    wanted = {docid: system for system in systems for hits in system.run.values() for docid in hits}
    found = {item.docid: (item.title, item.text) for item in read_corpus(corpus) if item.docid in wanted}
    for docid, system in wanted.items():
        if docid not in found:
            raise InputError(
                f"has no passage {docid!r}, which a run of {system.name!r} lists; give the corpus searched",
                corpus,
            )
    return found


def score_answers(answered: Answered, run: Run, qids: list[str], metric: str) -> NDArray[np.float64]:
    """Score a run under a metric that looks for answers; shape (questions,)."""
    budget = token_budget(metric)
    if budget is not None:
        return score_budget(run, qids, answered.answers, answered.tokenized, budget)
    cut = answer_cut(metric)
    if cut is None:
        raise ValueError(f"{metric} does not look for answers")
    return score_answer_recall(run, qids, answered.answers, answered.texts, cut)
