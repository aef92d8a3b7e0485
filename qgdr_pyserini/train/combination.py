"""A teacher that adds up: a weighted sum of scores, its weights fitted by conditional logit."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator
from scipy.optimize import minimize
from scipy.special import logsumexp

from qgdr_pyserini.collection.tevatron import CandidateList
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.settings import Settings
from qgdr_pyserini.train.measure import reranking_accuracy
from qgdr_pyserini.train.scores import with_scores

OWN = ("student", "teacher")
"""Scores that every iteration has."""

LEXICAL = "bm25-lexicon"
"""The score of dictionary BM25."""


Array = npt.NDArray[np.float64]

Mask = npt.NDArray[np.bool_]

RIDGE = 1e-3
"""Keeps weights finite where the positive is always first; for scores of like spread, worth 0.001 to 0.01."""

Parts = Mapping[str, Sequence[CandidateList]]
"""The same queries with the same candidates, scored in several ways, by the name of the score."""

SUM = "sum"
"""The name of the weighted sum among the scores that it is compared with."""


class CombinationSettings(Settings):
    """Which scores are added up, and by which weights.

    A query generator and a dual encoder err on different questions; their sum is a better teacher than
    either, and the student is not drawn away from what it knows.

    Parameters
    ----------
    scores
        Names: ``student`` (that of the iteration before), ``teacher``, ``bm25-lexicon`` (BM25 of the question
        translated word by word through the training set's lexicon, which needs Pyserini), and those of
        ``others``.
    others
        Checkpoints that score as they are, by a name for each: anything that ``qgdr score --teacher`` takes.
    weights
        By name, of raw scores. Left out, they are fitted to the held-out queries that the teacher is checked
        on (`qgdr_pyserini.train.combination`), which also sets the scale: the
        ``teacher_temperature`` that goes with fitted weights is 1.
    """

    scores: list[str] = Field(default_factory=lambda: list(OWN), min_length=1)
    others: dict[str, str] = Field(default_factory=dict)
    weights: dict[str, float] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        known = [*OWN, LEXICAL, *self.others]
        if taken := next((name for name in self.others if name in (*OWN, LEXICAL, "sum")), None):
            raise ValueError(f"'others' calls a checkpoint {taken!r}, a name that is taken; choose another")
        if idle := next((name for name in self.others if name not in self.scores), None):
            raise ValueError(f"'others' has {idle!r}, which 'scores' leaves out; add it there")
        if unknown := next((name for name in self.scores if name not in known), None):
            raise ValueError(f"no score {unknown!r}; known: {', '.join(known)}; name others in 'others'")
        if len(set(self.scores)) < len(self.scores):
            raise ValueError("'scores' names one twice; name each once")
        if self.weights and set(self.weights) != set(self.scores):
            raise ValueError("'weights' needs one for each of 'scores', or none at all")
        if self.weights and (min(self.weights.values()) < 0 or not any(self.weights.values())):
            raise ValueError("'weights' must not be below 0, and not all 0")
        return self


def fit_weights(scores: Array, mask: Mask, ridge: float = RIDGE) -> Array:
    r"""Choose the weights under which the positives are most likely.

    .. math:: \min_{w \ge 0} \; -\frac1n \sum_q \log \mathrm{softmax}\Big( \sum_k w_k s_k(q, C) \Big)_0
        + \frac{\rho}{2} \sum_k (w_k \sigma_k)^2

    with σ_k the spread of score k among the candidates of a question, so that the ridge does not depend on
    units. The objective is convex and is minimised by L-BFGS-B in the units of the spreads; the weights
    returned are for raw scores. As they also set the scale of the sum, its softmax is calibrated: no
    temperature is left to choose.

    Parameters
    ----------
    scores
        The positive's first, ``(questions, candidates, scores)``.
    mask
        False where a candidate is padding, ``(questions, candidates)``.
    ridge
        ρ.

    Returns
    -------
    numpy.ndarray
        ``(scores,)``, none below 0. A score that tells the candidates of no question apart gets 0.

    Examples
    --------
    One candidate of two is better by 1, and right three times in four: the weight is log 3.

    >>> scores = np.array([[[1.0], [0.0]]] * 3 + [[[0.0], [1.0]]])
    >>> fit_weights(scores, np.ones((4, 2), dtype=bool), ridge=0.0).round(3)
    array([1.099])
    """
    real = mask[:, :, None]
    spread = _spread(scores, real)
    apart = spread > 0
    # What is added to all candidates of a question changes nothing, so the positive can stand at 0.
    scaled = np.where(real, scores - scores[:, :1], 0.0) / np.where(apart, spread, 1.0)

    def objective(weights: Array) -> tuple[float, Array]:
        logits = np.where(mask, scaled @ weights, -np.inf)
        total = logsumexp(logits, axis=1)
        likely = np.exp(logits - total[:, None])
        gradient = np.einsum("qc,qck->k", likely, scaled) / len(scaled)
        return float(total.mean() + ridge / 2 * weights @ weights), gradient + ridge * weights

    start, bounds = apart.astype(np.float64), [(0.0, None)] * len(spread)
    found: Any = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds)
    weights: Array = np.where(apart, found.x / np.where(apart, spread, 1.0), 0.0)
    return weights


def negative_log_likelihood(scores: Array, mask: Mask) -> Array:
    """Tell how unlikely each question's positive is under the softmax of its scores, in nats.

    Parameters
    ----------
    scores
        The positive's first, ``(questions, candidates)``.
    mask
        False where a candidate is padding, ``(questions, candidates)``.

    Returns
    -------
    numpy.ndarray
        ``(questions,)``.

    Examples
    --------
    >>> negative_log_likelihood(np.array([[1.0, 0.0, 5.0]]), np.array([[True, True, False]])).round(4)
    array([0.3133])
    """
    unlikely: Array = logsumexp(np.where(mask, scores, -np.inf), axis=1) - scores[:, 0]
    return unlikely


def _spread(scores: Array, real: Mask) -> Array:
    """Take the standard deviation of each score among the candidates of a question, over all questions."""
    count = real.sum(axis=1, keepdims=True)
    mean = np.where(real, scores, 0.0).sum(axis=1, keepdims=True) / count
    squares = np.where(real, (scores - mean) ** 2, 0.0).sum(axis=(0, 1)) / real.sum()
    spread: Array = np.sqrt(squares)
    return spread


def combine(
    parts: Mapping[str, Iterable[CandidateList]], weights: Mapping[str, float]
) -> Iterator[CandidateList]:
    """Give candidates the weighted sum of their scores; these are taken as they are, in their own units.

    Parameters
    ----------
    parts
        Queries by the name of the score, in the same order.
    weights
        Of each name.

    Raises
    ------
    QgdrError
        If two of the parts are not about the same queries and candidates, or a score is missing.
    """
    for rows in _together(parts):
        sums = sum(weights[name] * np.array(_scores(row, name)) for name, row in rows.items())
        yield with_scores(next(iter(rows.values())), np.asarray(sums).tolist())


def fit(parts: Parts) -> dict[str, float]:
    """Fit weights to labels; see `qgdr_pyserini.train.combination`.

    Parameters
    ----------
    parts
        Queries by the name of the score. Of several positives the first counts; queries without positive or
        without negatives are left out.

    Returns
    -------
    dict
        Weights by name.

    Raises
    ------
    QgdrError
        If nothing is left to fit to, the parts differ, or a score is missing.
    """
    found = [_arrays(rows, name) for name, rows in _checked(parts).items()]
    weights = fit_weights(np.stack([scores for scores, _ in found], axis=2), found[0][1])
    return dict(zip(parts, weights.tolist(), strict=True))


def quality(parts: Parts, weights: Mapping[str, float]) -> dict[str, Any]:
    """Compare each score, with the best weight that it can have alone, and the weighted sum.

    Parameters
    ----------
    parts, weights
        As for `combine`.

    Returns
    -------
    dict
        ``questions``: their number. ``negative_log_likelihood`` (of the positive, in nats, mean) and
        ``first`` (how often a positive is put above all negatives): for each name and the ``sum``, by
        language and over ``all``.
    """
    parts = _checked(parts)
    single = {name: list(combine({name: rows}, fit({name: rows}))) for name, rows in parts.items()}
    scored = {**single, SUM: list(combine(parts, weights))}
    return {
        "questions": len(scored[SUM]),
        "negative_log_likelihood": {name: _unlikeliness(rows) for name, rows in scored.items()},
        "first": {name: reranking_accuracy(rows) for name, rows in scored.items()},
    }


def describe(weights: Mapping[str, float], found: Mapping[str, Any]) -> list[str]:
    """Put weights and `quality` into lines; an empty quality has none."""
    lines = ["weights: " + ", ".join(f"{name} {weight:.4g}" for name, weight in weights.items())]
    for key, what in (
        ("negative_log_likelihood", "negative log-likelihood of the positive"),
        ("first", "positive put first"),
    ):
        if key in found:
            values = ", ".join(f"{name} {by_language['all']:.3f}" for name, by_language in found[key].items())
            lines.append(f"{what}, {found['questions']:,} held-out questions: {values}")
    return lines


def _unlikeliness(rows: Sequence[CandidateList]) -> dict[str, float]:
    found: dict[str, list[float]] = defaultdict(list)
    for row, value in zip(rows, negative_log_likelihood(*_arrays(rows, SUM)).tolist(), strict=True):
        found[row.lang].append(value)
        found["all"].append(value)
    return {lang: sum(values) / len(values) for lang, values in sorted(found.items())}


def _checked(parts: Parts) -> dict[str, list[CandidateList]]:
    """Keep the queries that say something, the same of every part."""
    kept = [rows for rows in _together(parts) if all(r.positives and r.negatives for r in rows.values())]
    if not kept:
        raise QgdrError("weights cannot be fitted: no held-out query has both a positive and a negative")
    return {name: [rows[name] for rows in kept] for name in parts}


def _together(parts: Mapping[str, Iterable[CandidateList]]) -> Iterator[dict[str, CandidateList]]:
    for rows in itertools.zip_longest(*parts.values()):
        if any(row is None for row in rows):
            raise QgdrError(f"{', '.join(parts)}: hold different numbers of queries; score the same file")
        found = dict(zip(parts, rows, strict=True))
        _check_alike(found)
        yield found


def _check_alike(rows: Mapping[str, CandidateList]) -> None:
    (first, row), *others = rows.items()
    for name, other in others:
        if _candidates(other) != _candidates(row):
            raise QgdrError(
                f"{name}: query {other.query_id!r} stands where {first} has {row.query_id!r}, or has other "
                "candidates; score the same file"
            )


def _candidates(row: CandidateList) -> tuple[str, list[str]]:
    return row.query_id, [item.passage.docid for item in row.candidates]


def _arrays(rows: Sequence[CandidateList], name: str) -> tuple[Array, Mask]:
    """Put scores side by side, the first positive's first: ``(queries, candidates)``, and which are real."""
    lists = [_first_and_negatives(row, name) for row in rows]
    width = max(map(len, lists))
    mask = np.arange(width) < np.array([len(scores) for scores in lists])[:, None]
    scores = np.zeros(mask.shape)
    scores[mask] = np.concatenate(lists)
    return scores, mask


def _first_and_negatives(row: CandidateList, name: str) -> list[float]:
    scores = _scores(row, name)
    return scores[:1] + scores[len(row.positives) :]


def _scores(row: CandidateList, name: str) -> list[float]:
    scores = [item.score for item in row.candidates]
    if None in scores:
        raise QgdrError(f"{name}: query {row.query_id!r} has a candidate without a score; run 'qgdr score'")
    return [score for score in scores if score is not None]
