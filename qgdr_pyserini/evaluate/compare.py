"""Compare systems on the same queries: scores by language, and which differences are more than chance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.evaluate.languages import UNKNOWN, group_queries
from qgdr_pyserini.evaluate.metrics import DEFAULT_METRICS, check_metrics, score_queries
from qgdr_pyserini.evaluate.runs import System
from qgdr_pyserini.evaluate.significance import holm, paired_p_value
from qgdr_pyserini.evaluate.trec import Qrels

QueryScores = dict[str, dict[str, NDArray[np.float64]]]
"""Scores by query, shape (queries,), by metric by system."""

ALL_QUERIES = "all queries"
"""The row behind the languages; no language can be called that."""


@dataclass(frozen=True)
class Score:
    """One system's score over some queries.

    Attributes
    ----------
    mean
        Mean over the queries.
    difference
        From the baseline's mean over the same queries; None for the baseline itself and where there is none.
    p_value
        Of the paired test against the baseline; None where ``difference`` is.
    p_holm
        The same, corrected for all comparisons of the metric.
    """

    mean: float
    difference: float | None = None
    p_value: float | None = None
    p_holm: float | None = None


@dataclass(frozen=True)
class SystemScores:
    """One system under one metric.

    Attributes
    ----------
    languages
        Score by language.
    mean
        Mean of the languages' scores, every language counting the same; queries without a language
        are left out.
    overall
        Score over all queries, every query counting the same.
    """

    languages: dict[str, Score]
    mean: float
    overall: Score


@dataclass(frozen=True)
class Coverage:
    """How a system's queries and the judged ones fit.

    Attributes
    ----------
    name, files
        The system.
    missing
        Judged queries without a hit; they count as zero.
    unjudged
        Queries with hits but without judgements; they are left out.
    """

    name: str
    files: tuple[str, ...]
    missing: tuple[str, ...]
    unjudged: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """What a report tells.

    Attributes
    ----------
    qrels
        Where the judgements were read.
    systems
        In the order given.
    baseline
        Name of the system that the others are tested against; None with a single system.
    queries
        Number of judged queries by language.
    without_relevant
        Judged queries that no passage is relevant to; they count as zero for every system.
    tests
        Number of comparisons made under each metric, the family that Holm's correction is for.
    results
        Scores by system by metric.
    """

    qrels: str
    systems: tuple[Coverage, ...]
    baseline: str | None
    queries: dict[str, int]
    without_relevant: tuple[str, ...]
    tests: int
    results: dict[str, dict[str, SystemScores]]


def compare(
    qrels: Qrels,
    systems: Sequence[System],
    metrics: Sequence[str] = DEFAULT_METRICS,
    *,
    qrels_file: str = "qrels",
    baseline: str | None = None,
    languages: Mapping[str, str] | None = None,
    only: Sequence[str] = (),
) -> Comparison:
    """Score systems on the judged queries and test each against the baseline.

    Parameters
    ----------
    qrels
        Judgements. Every judged query counts, zero where a system has no hit for it.
    systems
        At least one, with names that differ.
    metrics
        Names that `check_metrics` takes.
    qrels_file
        What to call the judgements in errors and reports.
    baseline
        Name of one of the systems; the first one if None.
    languages
        Language by qid where known for sure; for other queries the id decides.
    only
        Compare in these languages alone.

    Returns
    -------
    Comparison
        With p-values where there are two systems or more.

    Raises
    ------
    QgdrError
        If a metric, the baseline or a language is unknown, a system shares no query with the
        judgements, or no passage is judged relevant.
    """
    metrics = check_metrics(metrics)
    baseline = _baseline(systems, baseline)
    groups = group_queries(sorted(qrels), languages or {}, only)
    qids = [qid for group in groups.values() for qid in group]
    without_relevant = tuple(qid for qid in qids if max(qrels[qid].values()) < 1)
    if len(without_relevant) == len(qids):
        raise QgdrError(
            f"{qrels_file}: judges no passage relevant to any of {len(qids)} queries (grade 1 or more)"
        )
    coverage = tuple(_coverage(system, qrels, qids, qrels_file) for system in systems)
    scores = {system.name: score_queries(qrels, system.run, qids, metrics) for system in systems}
    rows = _rows(groups)
    return Comparison(
        qrels=qrels_file,
        systems=coverage,
        baseline=baseline if len(systems) > 1 else None,
        queries={name: len(group) for name, group in groups.items()},
        without_relevant=without_relevant,
        tests=(len(systems) - 1) * len(rows),
        results={metric: _compare_under(metric, scores, rows, baseline) for metric in metrics},
    )


def _baseline(systems: Sequence[System], name: str | None) -> str:
    names = [system.name for system in systems]
    if name is not None and name not in names:
        raise QgdrError(f"baseline {name!r} is none of the systems: {', '.join(names)}")
    return names[0] if name is None else name


def _coverage(system: System, qrels: Qrels, qids: Sequence[str], qrels_file: str) -> Coverage:
    if not system.run.keys() & set(qids):
        raise QgdrError(
            f"{system.files[0]}: no query of system {system.name!r} is among those judged in {qrels_file}"
            f" (the run has {next(iter(system.run))!r}, the judgements have {qids[0]!r});"
            " give the judgements of the same collection"
        )
    missing = tuple(qid for qid in qids if qid not in system.run)
    unjudged = tuple(sorted(system.run.keys() - qrels.keys()))
    return Coverage(system.name, system.files, missing, unjudged)


def _rows(groups: Mapping[str, Sequence[str]]) -> dict[str, slice]:
    """Where each language's queries lie among all; several languages are followed by `ALL_QUERIES`."""
    rows: dict[str, slice] = {}
    start = 0
    for name, group in groups.items():
        rows[name] = slice(start, start + len(group))
        start += len(group)
    if len(groups) > 1:
        rows[ALL_QUERIES] = slice(0, start)
    return rows


def _compare_under(
    metric: str, scores: QueryScores, rows: Mapping[str, slice], baseline: str
) -> dict[str, SystemScores]:
    """Score and test every system in every row; all tests together are one family."""
    reference = scores[baseline][metric]
    places = [(name, row) for name in scores if name != baseline for row in rows]
    p_values = [paired_p_value(reference[rows[row]], scores[name][metric][rows[row]]) for name, row in places]
    tested = dict(zip(places, zip(p_values, holm(p_values), strict=True), strict=True))
    results = {}
    for name in scores:
        cells = dict(_cells(name, scores[name][metric], reference, rows, tested))
        # With one language, all queries are that language's.
        overall = cells.pop(ALL_QUERIES) if len(cells) > 1 else next(iter(cells.values()))
        results[name] = SystemScores(cells, _mean_of_languages(cells), overall)
    return results


def _cells(
    name: str,
    scores: NDArray[np.float64],
    reference: NDArray[np.float64],
    rows: Mapping[str, slice],
    tested: Mapping[tuple[str, str], tuple[float, float]],
) -> Iterator[tuple[str, Score]]:
    for row, queries in rows.items():
        mean = float(np.mean(scores[queries]))
        if (name, row) in tested:
            yield row, Score(mean, mean - float(np.mean(reference[queries])), *tested[name, row])
        else:
            yield row, Score(mean)


def _mean_of_languages(cells: Mapping[str, Score]) -> float:
    means = [cell.mean for language, cell in cells.items() if language != UNKNOWN or len(cells) == 1]
    return float(np.mean(means))
