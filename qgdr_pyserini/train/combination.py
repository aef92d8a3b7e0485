"""Several scores of the same candidates as one: their weighted sum, and how good a teacher it is."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from qgdr_pyserini.collection.tevatron import CandidateList
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.train.conditional_logit import Array, Mask, fit_weights, negative_log_likelihood
from qgdr_pyserini.train.measuring import reranking_accuracy
from qgdr_pyserini.train.steps import with_scores

Parts = Mapping[str, Sequence[CandidateList]]
"""The same queries with the same candidates, scored in several ways, by the name of the score."""

SUM = "sum"
"""The name of the weighted sum among the scores that it is compared with."""


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
    """Fit weights to labels; see `qgdr_pyserini.train.conditional_logit`.

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
