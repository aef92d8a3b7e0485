"""Compare systems on the same queries: scores by language, and which differences are more than chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.evaluate.languages import group_queries
from qgdr_pyserini.evaluate.metrics import DEFAULT_METRICS, check_metrics, score_queries
from qgdr_pyserini.evaluate.results import ALL_QUERIES, Comparison, Coverage, QueryScores
from qgdr_pyserini.evaluate.runs import System
from qgdr_pyserini.evaluate.statistics import summarise
from qgdr_pyserini.evaluate.trec import Qrels


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
    names = [system.name for system in systems]
    scores = [score_queries(qrels, system.run, qids, metrics) for system in systems]
    rows = _rows(groups)
    by_metric = np.array([[of_system[metric] for of_system in scores] for metric in metrics])
    return Comparison(
        qrels=qrels_file,
        systems=coverage,
        baseline=baseline if len(systems) > 1 else None,
        queries={name: len(group) for name, group in groups.items()},
        without_relevant=without_relevant,
        tests=dict.fromkeys(metrics, (len(systems) - 1) * len(rows)),
        results=summarise(by_metric.transpose(2, 0, 1), rows, metrics, names, baseline),
        by_query={
            metric: QueryScores(
                tuple(qids),
                tuple(language for language, group in groups.items() for _ in group),
                dict(zip(names, by_system, strict=True)),
            )
            for metric, by_system in zip(metrics, by_metric, strict=True)
        },
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
