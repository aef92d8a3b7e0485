"""Summary statistics of a comparison: from scores by query to means, intervals, effect sizes and tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qgdr_pyserini.evaluate.languages import UNKNOWN, by_question
from qgdr_pyserini.evaluate.results import ALL_QUERIES, Difference, MeanOfLanguages, Score, SystemScores
from qgdr_pyserini.evaluate.significance import (
    Interval,
    holm,
    intervals,
    paired_p_value,
    randomisation_p_values,
    resampled_means,
)

_EQUAL = 1e-12

Array = NDArray[np.float64]


@dataclass(frozen=True)
class _Row:
    """Some queries under every metric and system.

    Attributes
    ----------
    scores
        Shape (queries, metrics, systems).
    differences
        From the baseline, of the same shape; zero for the baseline.
    score_means, difference_means
        Resampled means, shape (resamples, metrics, systems).
    student, randomisation
        P-values, shape (metrics, systems).
    """

    scores: Array
    differences: Array
    score_means: Array
    difference_means: Array
    student: Array
    randomisation: Array


def summarise(
    scores: Array,
    rows: Mapping[str, slice],
    questions: NDArray[np.intp],
    metrics: Sequence[str],
    names: Sequence[str],
    baseline: str,
    mean_of: Sequence[str] = (),
) -> dict[str, dict[str, SystemScores]]:
    """Give every system's score in every row, and test it against the baseline.

    Under each metric, the tests of all systems in all rows are one family for Holm's correction.

    Parameters
    ----------
    scores
        Shape (queries, metrics, systems).
    rows
        Where each language's queries lie; several languages are followed by `ALL_QUERIES`.
    questions
        The question of each query, shape (queries,), from `question_numbers`: what tests and intervals take
        to be independent.
    metrics, names
        What the second and third axes are.
    baseline
        One of ``names``.
    mean_of
        Languages in the mean; all when empty.

    Returns
    -------
    dict of str to dict of str to SystemScores
        By metric and system.
    """
    reference = names.index(baseline)
    tables = {row: _row(scores[queries], questions[queries], reference) for row, queries in rows.items()}
    counted = tuple(dict.fromkeys(mean_of)) or _known_languages(rows)
    results = {}
    for place, metric in enumerate(metrics):
        cells = _cells(tables, place, reference)
        results[metric] = {
            name: SystemScores(
                languages={row: cells[system][row] for row in _languages(rows)},
                mean=_mean_of_languages(tables, place, system, reference, counted),
                overall=cells[system].get(ALL_QUERIES) or next(iter(cells[system].values())),
            )
            for system, name in enumerate(names)
        }
    return results


def _row(scores: Array, questions: NDArray[np.intp], reference: int) -> _Row:
    differences = scores - scores[:, :, [reference]]
    both = np.concatenate((scores, differences), axis=2)
    flat, sizes = by_question(both.reshape(len(both), -1), questions)
    means, sums = (rows.reshape(-1, *both.shape[1:]) for rows in (resampled_means(flat, sizes), flat))
    systems = scores.shape[2]
    student = np.array(
        [
            [paired_p_value(metric[:, reference], metric[:, system]) for system in range(systems)]
            for metric in np.moveaxis(sums, 1, 0)
        ]
    )
    swapped = sums[:, :, systems:].reshape(len(sums), -1)
    randomisation = randomisation_p_values(swapped).reshape(student.shape)
    return _Row(scores, differences, means[:, :, :systems], means[:, :, systems:], student, randomisation)


def _cells(tables: Mapping[str, _Row], metric: int, reference: int) -> list[dict[str, Score]]:
    """Score every system in every row under one metric."""
    systems = next(iter(tables.values())).scores.shape[2]
    places = [(system, row) for system in range(systems) if system != reference for row in tables]
    student = holm([float(tables[row].student[metric, system]) for system, row in places])
    randomisation = holm([float(tables[row].randomisation[metric, system]) for system, row in places])
    corrected = dict(zip(places, zip(student, randomisation, strict=True), strict=True))
    ends = {row: intervals(table.score_means[:, metric]) for row, table in tables.items()}
    difference_ends = {row: intervals(table.difference_means[:, metric]) for row, table in tables.items()}
    return [
        {
            row: Score(
                len(table.scores),
                float(table.scores[:, metric, system].mean()),
                ends[row][system],
                None
                if system == reference
                else _difference(
                    table, metric, system, difference_ends[row][system], *corrected[system, row]
                ),
            )
            for row, table in tables.items()
        }
        for system in range(systems)
    ]


def _difference(
    table: _Row, metric: int, system: int, interval: Interval, p_holm: float, p_randomisation_holm: float
) -> Difference:
    differences = table.differences[:, metric, system]
    wins, losses = int((differences > _EQUAL).sum()), int((differences < -_EQUAL).sum())
    return Difference(
        mean=float(differences.mean()),
        interval=interval,
        effect=effect_size(differences),
        wins=wins,
        ties=len(differences) - wins - losses,
        losses=losses,
        p_value=float(table.student[metric, system]),
        p_holm=p_holm,
        p_randomisation=float(table.randomisation[metric, system]),
        p_randomisation_holm=p_randomisation_holm,
    )


def effect_size(differences: Array) -> float | None:
    """Compute Cohen's d for pairs: the mean difference in standard deviations of the differences.

    Parameters
    ----------
    differences
        By query, shape (queries,).

    Returns
    -------
    float or None
        0 where there is no difference at all; None where all are equal otherwise, or a single query has one.

    Examples
    --------
    >>> round(effect_size(np.array([1.0, 0.0, 1.0, 0.0])), 3)
    0.866
    """
    if np.abs(differences).max() <= _EQUAL:
        return 0.0
    if np.ptp(differences) <= _EQUAL:
        return None
    return float(differences.mean() / differences.std(ddof=1))


def _languages(rows: Iterable[str]) -> tuple[str, ...]:
    return tuple(row for row in rows if row != ALL_QUERIES)


def _known_languages(rows: Iterable[str]) -> tuple[str, ...]:
    languages = _languages(rows)
    return tuple(row for row in languages if row != UNKNOWN) or languages


def _mean_of_languages(
    tables: Mapping[str, _Row], metric: int, system: int, reference: int, counted: tuple[str, ...]
) -> MeanOfLanguages:
    value, interval = _average(
        [(tables[row].scores, tables[row].score_means) for row in counted], metric, system
    )
    if system == reference:
        return MeanOfLanguages(counted, value, interval)
    differences = [(tables[row].differences, tables[row].difference_means) for row in counted]
    return MeanOfLanguages(counted, value, interval, *_average(differences, metric, system))


def _average(tables: Sequence[tuple[Array, Array]], metric: int, system: int) -> tuple[float, Interval]:
    """Average over languages what was measured, and what was resampled in each."""
    value = np.mean([values[:, metric, system].mean() for values, _ in tables])
    means = np.mean([resampled[:, metric, system] for _, resampled in tables], axis=0)
    return float(value), intervals(means[:, None])[0]
