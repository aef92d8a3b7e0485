"""Answer recall: how often one of the first k passages has an answer.

Matching is that of dense passage retrieval (Karpukhin et al., EMNLP 2020), used for MKQA too: passage text
and answer are normalised (NFD), cut into runs of letters, marks and numbers and single other signs, and
lower-cased; the answer's tokens have to stand in the passage's in a row.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Mapping, Sequence
from itertools import islice

import numpy as np
import regex
from numpy.typing import NDArray

from qgdr_pyserini.collection.answers import Answers
from qgdr_pyserini.collection.trec import Run

_TOKEN = regex.compile(r"[\p{L}\p{N}\p{M}]+|[^\p{Z}\p{C}]")
_METRIC = re.compile(r"answer-recall@([1-9][0-9]{0,8})")


def answer_cut(metric: str) -> int | None:
    """Tell how many passages a metric looks at; None if it is not of this kind.

    Examples
    --------
    >>> answer_cut("answer-recall@20"), answer_cut("recall@20")
    (20, None)
    """
    match = _METRIC.fullmatch(metric)
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
