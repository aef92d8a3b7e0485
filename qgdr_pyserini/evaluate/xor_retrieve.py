"""XOR-Retrieve's R@2kt and R@5kt: how often the first 2,000 or 5,000 tokens of passages have an answer.

The rule is that of the task's own script: the texts of the ranked passages, without titles, are cut into
words by NLTK and joined by spaces up to the budget; a question is a hit if any of its answers, in this very
spelling, is part of that string. Answers ``yes`` and ``no`` are dropped, and questions with no other are left
out. Unlike the script, which goes through the predictions, all questions count here: one that a run lacks is
a miss.

NLTK's ``word_tokenize`` first cuts sentences, with a model that comes as a separate download (``punkt_tab``),
then words. Where the model is absent, the same algorithm runs with the abbreviations below in its place. On
Wikipedia paragraphs some 1 token in 5,000 then differs, a full stop behind an abbreviation or initials.
"""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qgdr_pyserini.collection.answers import Answers
from qgdr_pyserini.collection.trec import Run
from qgdr_pyserini.files import atomic_text

LARGEST_BUDGET = 5_000
"""Tokens that the official evaluation looks at."""

_BUDGET_METRIC = re.compile(r"r@([1-9][0-9]{0,2})kt")

_ABBREVIATIONS = (
    "a.d a.k.a a.m adm approx apr aug ave b.c b.s bros c ca capt cf co col cmdr corp d.c dec dept dr"
    " ed eds est feb ft fig gen gov hon inc jan jr lt ltd maj mar mr mrs ms mt n.y nov oct op p p.m"
    " ph.d pp prof pt rep sen sep sept sgt sr st u.k u.n u.s u.s.a v v.a vol vs"
)

_ABBREVIATIONS_AND_INITIALS = {*_ABBREVIATIONS.split(), *"abdefghjklmnoqrtuwxyz"}


def token_budget(metric: str) -> int | None:
    """Tell how many tokens a metric looks at; None if it is not of this kind.

    Examples
    --------
    >>> token_budget("r@2kt"), token_budget("recall@2")
    (2000, None)
    """
    match = _BUDGET_METRIC.fullmatch(metric)
    return int(match.group(1)) * 1_000 if match else None


def span_answers(answers: Answers) -> list[str]:
    """Keep the answers that a passage can hold: all but yes and no."""
    return [answer for answer in answers.answers if answer not in ("yes", "no")]


class TokenizedTexts:
    """Passages cut into words, each once.

    Parameters
    ----------
    texts
        Text by docid.
    """

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts
        self._cut: dict[str, tuple[str, int]] = {}

    def text(self, docid: str) -> str:
        """Give a passage's text as it is."""
        return self._texts[docid]

    def joined(self, docid: str) -> tuple[str, int]:
        """Give a passage's words, joined by spaces, and their number."""
        if docid not in self._cut:
            cut = word_tokenize(self._texts[docid])
            self._cut[docid] = " ".join(cut), len(cut)
        return self._cut[docid]

    def within(self, docids: Iterable[str], budget: int) -> str:
        """Join the words of ranked passages up to ``budget`` words."""
        parts = []
        for docid in docids:
            text, count = self.joined(docid)
            if count:
                parts.append(text if count <= budget else " ".join(text.split(" ")[:budget]))
            budget -= count
            if budget <= 0:
                break
        return " ".join(parts)


def score_budget(
    run: Run, qids: Sequence[str], answers: Mapping[str, Answers], texts: TokenizedTexts, budget: int
) -> NDArray[np.float64]:
    """Score R@``budget`` tokens.

    Parameters
    ----------
    run
        Hits in rank order.
    qids
        Questions with `span_answers`.
    answers
        By qid.
    texts
        All passages of the run.
    budget
        Number of tokens.

    Returns
    -------
    array
        1 for a hit, 0 for a miss, shape (questions,).
    """
    hits = []
    for qid in qids:
        found = texts.within(run[qid], budget) if qid in run else None
        hits.append(found is not None and any(answer in found for answer in span_answers(answers[qid])))
    return np.array(hits, dtype=np.float64)


def write_predictions(
    path: str | os.PathLike[str], run: Run, answers: Mapping[str, Answers], texts: TokenizedTexts
) -> None:
    """Write predictions as the XOR-Retrieve leaderboard and its script take them.

    Parameters
    ----------
    path
        The file: a JSON list of ``{"id", "lang", "ctxs": [text]}``, one for every question; a question
        without hits has no texts. An id ``xor-tydi-LANG-ID`` of a built collection is written as ``ID``.
    run
        Hits in rank order; texts are listed until they fill `LARGEST_BUDGET` tokens.
    answers
        Of all questions.
    texts
        All passages of the run.
    """
    predictions = [
        {
            "id": qid.removeprefix(f"xor-tydi-{item.lang}-"),
            "lang": item.lang,
            "ctxs": [texts.text(docid) for docid in _needed(run.get(qid, {}), texts)],
        }
        for qid, item in answers.items()
    ]
    with atomic_text(path) as file:
        json.dump(predictions, file, ensure_ascii=False, indent=1)
        file.write("\n")


def _needed(docids: Iterable[str], texts: TokenizedTexts) -> list[str]:
    needed, count = [], 0
    for docid in docids:
        if count >= LARGEST_BUDGET:
            break
        needed.append(docid)
        count += texts.joined(docid)[1]
    return needed


def word_tokenize(text: str) -> list[str]:
    """Cut a text into words.

    Parameters
    ----------
    text
        English text.

    Returns
    -------
    list of str
        Words and punctuation marks; none holds whitespace.

    Examples
    --------
    >>> word_tokenize("It rises in the U.S. state. Doesn't it?")
    ['It', 'rises', 'in', 'the', 'U.S.', 'state', '.', 'Does', "n't", 'it', '?']
    """
    sentences, cut = _tokenizers()
    return [word for sentence in sentences(text) for word in cut(sentence)]


def has_sentence_model() -> bool:
    """Tell whether NLTK's English sentence model is installed, so that words are exactly NLTK's."""
    return _sentence_model() is not None


@functools.cache
def _tokenizers() -> tuple[Callable[[str], list[str]], Callable[[str], list[str]]]:
    from nltk.tokenize import NLTKWordTokenizer
    from nltk.tokenize.punkt import PunktParameters, PunktSentenceTokenizer

    model = _sentence_model()
    if model is None:
        parameters = PunktParameters()
        parameters.abbrev_types = _ABBREVIATIONS_AND_INITIALS
        model = PunktSentenceTokenizer(parameters)
    return model.tokenize, NLTKWordTokenizer().tokenize


@functools.cache
def _sentence_model() -> Any:
    from nltk.tokenize.punkt import PunktTokenizer

    try:
        return PunktTokenizer("english")
    except LookupError:
        return None
