"""Compare systems on the same queries: scores by language, and which differences are significant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qgdr_pyserini.collection.trec import Qrels
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.evaluate.answers import Answered, score_answers
from qgdr_pyserini.evaluate.languages import group_queries, language_by_query, question_numbers, refuse_absent
from qgdr_pyserini.evaluate.metrics import (
    DEFAULT_METRICS,
    check_metrics,
    is_answer_metric,
    score_queries,
    uneven_judgements,
)
from qgdr_pyserini.evaluate.results import ALL_QUERIES, Comparison, Coverage, QueryScores, SystemScores
from qgdr_pyserini.evaluate.statistics import summarise
from qgdr_pyserini.evaluate.systems import System


@dataclass(frozen=True)
class _Family:
    """Metrics that are measured on the same queries.

    Attributes
    ----------
    metrics
        Their names.
    groups
        Queries by language.
    """

    metrics: tuple[str, ...]
    groups: dict[str, list[str]]

    @property
    def qids(self) -> list[str]:
        return list(self.languages)

    @property
    def languages(self) -> dict[str, str]:
        """Language by query, group by group."""
        return language_by_query(self.groups)


def compare(
    qrels: Qrels,
    systems: Sequence[System],
    metrics: Sequence[str] = DEFAULT_METRICS,
    *,
    qrels_file: str = "qrels",
    answered: Answered | None = None,
    baseline: str | None = None,
    languages: Mapping[str, str] | None = None,
    only: Sequence[str] = (),
    mean_of: Sequence[str] = (),
) -> Comparison:
    """Score systems on the gold's queries and test each against the baseline.

    Parameters
    ----------
    qrels
        Judgements. Every judged query counts, zero where a system has no hit for it. May be empty if all
        metrics look for answers.
    systems
        At least one, with names that differ.
    metrics
        Names that `check_metrics` takes.
    qrels_file
        What to call the judgements in errors and reports.
    answered
        Answers, for metrics that look for them; every question with answers counts likewise.
    baseline
        Name of one of the systems; the first one if None.
    languages
        Language by qid where known for sure; for other queries the answers or the id decides.
    only
        Compare in these languages alone.
    mean_of
        Languages in the mean; all when empty.

    Returns
    -------
    Comparison
        With p-values where there are two systems or more.

    Raises
    ------
    QgdrError
        If a metric, the baseline or a language is unknown, a metric's gold is not given, a system shares
        no query with the gold, or no passage is judged relevant.
    """
    metrics = check_metrics(metrics)
    baseline = _baseline(systems, baseline)
    families = _families(qrels, answered, metrics, languages or {}, only)
    judging = next((f for f in families if not all(map(is_answer_metric, f.metrics))), None)
    judged = judging.qids if judging else []
    gold = list(dict.fromkeys(qid for family in families for qid in family.qids))
    gold_file = qrels_file if judged or answered is None else answered.file
    results: dict[str, dict[str, SystemScores]] = {}
    by_query: dict[str, QueryScores] = {}
    tests: dict[str, int] = {}
    names = [system.name for system in systems]
    without_relevant = _without_relevant(qrels, judged, qrels_file)
    known = {*qrels, *(answered.answers if answered else ())}
    coverage = tuple(_coverage(system, gold, known, gold_file) for system in systems)
    for family in families:
        refuse_absent(mean_of, family.groups, "--mean-of")
        scores = np.array([_score(family, system, qrels, answered) for system in systems])
        rows = language_rows(family.groups)
        questions = question_numbers(family.languages)
        results |= summarise(
            scores.transpose(2, 1, 0), rows, questions, family.metrics, names, baseline, mean_of
        )
        by_query |= _by_query(family, names, scores)
        tests |= dict.fromkeys(family.metrics, (len(systems) - 1) * len(rows))
    return Comparison(
        qrels=qrels_file if judged else None,
        answers=answered.file if answered and any(map(is_answer_metric, metrics)) else None,
        systems=coverage,
        baseline=baseline if len(systems) > 1 else None,
        queries=_counts(families),
        without_relevant=without_relevant,
        tests={metric: tests[metric] for metric in metrics},
        remarks=(
            *(system.origin for system in systems if system.origin),
            *(answered.remarks(metrics) if answered else ()),
        ),
        results={metric: results[metric] for metric in metrics},
        by_query={metric: by_query[metric] for metric in metrics},
        warnings=tuple(uneven_judgements(qrels, systems, judging.groups, metrics)) if judging else (),
    )


def _families(
    qrels: Qrels,
    answered: Answered | None,
    metrics: Sequence[str],
    languages: Mapping[str, str],
    only: Sequence[str],
) -> list[_Family]:
    """Sort metrics by the queries that they are measured on."""
    members: dict[tuple[str, ...], list[str]] = {}
    if answered is not None:
        languages = {qid: item.lang for qid, item in answered.answers.items()} | dict(languages)
    for metric in metrics:
        if not is_answer_metric(metric):
            qids = sorted(qrels)
        elif answered is not None:
            qids = sorted(answered.questions(metric))
        else:
            raise QgdrError(f"{metric} looks for answers in passages; give --answers FILE and --corpus PATH")
        if not qids:
            raise QgdrError(f"{metric} counts passages judged relevant; give --qrels FILE")
        members.setdefault(tuple(qids), []).append(metric)
    return [_Family(tuple(group), group_queries(qids, languages, only)) for qids, group in members.items()]


def _without_relevant(qrels: Qrels, qids: Sequence[str], qrels_file: str) -> tuple[str, ...]:
    without = tuple(qid for qid in qids if max(qrels[qid].values()) < 1)
    if qids and len(without) == len(qids):
        raise QgdrError(
            f"{qrels_file}: judges no passage relevant to any of {len(qids)} queries (grade 1 or more)"
        )
    return without


def _score(
    family: _Family, system: System, qrels: Qrels, answered: Answered | None
) -> list[NDArray[np.float64]]:
    """Score a system's queries under each metric of a family."""
    judging = [metric for metric in family.metrics if not is_answer_metric(metric)]
    scores = score_queries(qrels, system.run, family.qids, judging) if judging else {}
    for metric in family.metrics:
        if answered is not None and is_answer_metric(metric):
            scores[metric] = score_answers(answered, system.run, family.qids, metric)
    return [scores[metric] for metric in family.metrics]


def _by_query(family: _Family, names: Sequence[str], scores: NDArray[np.float64]) -> dict[str, QueryScores]:
    """Label the scores, shape (systems, metrics, queries)."""
    qids, languages = tuple(family.languages), tuple(family.languages.values())
    return {
        metric: QueryScores(qids, languages, dict(zip(names, scores[:, place], strict=True)))
        for place, metric in enumerate(family.metrics)
    }


def _counts(families: Sequence[_Family]) -> dict[str, int]:
    """Count the gold's queries by language, over all families."""
    queries: dict[str, set[str]] = {}
    for family in families:
        for language, group in family.groups.items():
            queries.setdefault(language, set()).update(group)
    return {language: len(group) for language, group in queries.items()}


def _baseline(systems: Sequence[System], name: str | None) -> str:
    names = [system.name for system in systems]
    if name is not None and name not in names:
        raise QgdrError(f"baseline {name!r} is none of the systems: {', '.join(names)}")
    return names[0] if name is None else name


def _coverage(system: System, gold: Sequence[str], known: set[str], gold_file: str) -> Coverage:
    if not system.run.keys() & set(gold):
        raise QgdrError(
            f"{system.files[0]}: no query of system {system.name!r} is among those of {gold_file}"
            f" (the run has {next(iter(system.run))!r}, the other file {gold[0]!r});"
            " give the judgements or answers of the same collection"
        )
    missing = tuple(qid for qid in gold if qid not in system.run)
    unjudged = tuple(sorted(system.run.keys() - known))
    return Coverage(system.name, system.files, missing, unjudged)


def language_rows(groups: Mapping[str, Sequence[str]]) -> dict[str, slice]:
    """Tell where each language's queries lie among all; several are followed by `ALL_QUERIES`.

    Examples
    --------
    >>> language_rows({"de": ["a", "b"], "es": ["c"]})
    {'de': slice(0, 2, None), 'es': slice(2, 3, None), 'all queries': slice(0, 3, None)}
    """
    rows: dict[str, slice] = {}
    start = 0
    for name, group in groups.items():
        rows[name] = slice(start, start + len(group))
        start += len(group)
    if len(groups) > 1:
        rows[ALL_QUERIES] = slice(0, start)
    return rows
