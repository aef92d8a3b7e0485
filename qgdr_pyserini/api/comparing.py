"""Comparing and fusing runs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qgdr_pyserini.api.frames import (
    AnyCorpus,
    AnyPath,
    AnyQrels,
    AnyRun,
    AnyTopics,
    Topics,
    corpus_on_disk,
    run_frame,
    to_qrels,
    to_system,
    to_topics,
)
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.evaluate.answers import read_answered
from qgdr_pyserini.evaluate.compare_files import Material, compare_material, report_material, usual_metrics
from qgdr_pyserini.evaluate.fusion import check_method, check_weights
from qgdr_pyserini.evaluate.fusion import fuse as fuse_systems
from qgdr_pyserini.evaluate.metrics import check_metrics
from qgdr_pyserini.evaluate.reports.tables import MEAN, row_names, score_of
from qgdr_pyserini.evaluate.results import Comparison, Difference
from qgdr_pyserini.evaluate.significance import Interval

if TYPE_CHECKING:
    import pandas as pd

_COUNTS = ("queries", "wins", "ties", "losses")
_AGAINST = (
    "difference", "difference_low", "difference_high", "effect_size", "wins", "ties", "losses", "p",
    "p_randomisation",
)  # fmt: skip
_NUMBERS = ("queries", "score", "low", "high", *_AGAINST)


def compare(
    runs: Mapping[str, AnyRun],
    qrels: AnyQrels | None = None,
    *,
    metrics: Sequence[str] = (),
    baseline: str | None = None,
    topics: AnyTopics | None = None,
    answers: AnyPath | None = None,
    corpus: AnyCorpus | None = None,
    languages: Sequence[str] = (),
    mean_of: Sequence[str] = (),
    per_query: bool = False,
    output: AnyPath | None = None,
    overwrite: bool = False,
) -> pd.DataFrame:
    """Score runs by language, and test which differences from a baseline are more than chance.

    Every judged query counts, as zero where a run has no hit for it; ``qgdr compare`` does the same.

    Parameters
    ----------
    runs
        Runs by the name of their system: TREC files, or DataFrames with ``qid``, ``docid`` and ``score``.
    qrels
        A TREC file, a collection, or a DataFrame with ``qid``, ``docid`` and ``relevance``.
    metrics
        ranx's, such as ``recall@100`` or ``map``; with ``answers`` also ``r@2kt``, ``answer-recall@20``, …
        By default those of ``qgdr compare``: recall@10, ndcg@10 and mrr@10, others where judgements are
        graded; with ``answers`` r@2kt, r@5kt and answer-recall@20, or both.
    baseline
        Name of the system that the others are tested against; the first when None.
    topics
        The questions, which tell the languages and are shown in a report; without them, query ids tell.
    answers
        JSON Lines of answers, to be looked for in the passages of ``corpus``.
    corpus
        What was searched: for ``answers``, and for passages to be shown in a report.
    languages
        Compare in these alone.
    mean_of
        Languages in the mean; all when empty.
    per_query
        Return scores query by query.
    output
        Folder for the reports that ``qgdr compare`` writes.
    overwrite
        Replace an earlier report there.

    Returns
    -------
    pandas.DataFrame
        A row for each metric, language and system: ``metric``, ``language`` (behind the languages ``mean``
        and ``all queries``), ``system``, ``queries``, ``score`` with its 95 % interval ``low`` and ``high``,
        and against the baseline ``difference``, its interval ``difference_low`` and ``difference_high``,
        ``effect_size``, ``wins``, ``ties``, ``losses``, and the p-values ``p`` (Student's t-test) and
        ``p_randomisation`` (Fisher's), after Holm's correction. With ``per_query``: ``metric``, ``qid``,
        ``language``, ``system``, ``score``.

    Raises
    ------
    QgdrError
        If a metric, the baseline or a language is unknown, there is nothing to measure on, an input is
        wrong, or there is a report already.

    Examples
    --------
    >>> qrels = {"q1": {"a": 1}, "q2": {"b": 1}}
    >>> runs = {"bm25": {"q1": {"c": 2.0, "a": 1.0}}, "dense": {"q1": {"a": 0.9}, "q2": {"b": 0.8}}}
    >>> table = compare(runs, qrels, metrics=["mrr@10"])
    >>> table[["system", "score", "wins"]]
      system  score  wins
    0   bm25   0.25  <NA>
    1  dense   1.00     2
    """
    if qrels is None and answers is None:
        raise QgdrError("nothing to measure on; give qrels, or answers and corpus")
    if answers is not None and corpus is None:
        raise QgdrError("answers are looked for in passages; give corpus")
    if not runs:
        raise QgdrError("nothing to compare; give at least one run")
    check_metrics(metrics)
    judgements = {} if qrels is None else to_qrels(qrels)
    chosen = check_metrics(metrics or usual_metrics(judgements, answers=answers is not None))
    asked = Topics({}) if topics is None else to_topics(topics)
    with _place(corpus) as path:
        systems = [to_system(name, run) for name, run in runs.items()]
        material = Material(
            systems=systems,
            qrels=judgements,
            qrels_file=os.fspath(qrels) if isinstance(qrels, str | os.PathLike) else "qrels",
            answered=None if answers is None else read_answered(answers, path or "", systems),
            languages=asked.languages,
            questions=asked.questions,
            corpus=path,
        )
        comparison = compare_material(material, chosen, baseline=baseline, only=languages, mean_of=mean_of)
        if output is not None:
            report_material(material, comparison, os.fspath(output), overwrite=overwrite)
    return _query_frame(comparison) if per_query else _frame(comparison)


def fuse(
    runs: Mapping[str, AnyRun], method: str = "sum", weights: Mapping[str, float] | None = None
) -> pd.DataFrame:
    """Merge the hits of several runs, by ranx.

    Parameters
    ----------
    runs
        At least two, by name: TREC files, or DataFrames with ``qid``, ``docid`` and ``score``.
    method
        By scores, each query's brought to 0..1: ``sum``, ``mnz``, ``anz``, ``max``, ``min``, ``med``; by
        ranks: ``rrf``, ``isr``, ``log_isr``, ``logn_isr``, ``bordafuse``.
    weights
        Of ``sum``, by the runs' names; all weigh alike when None.

    Returns
    -------
    pandas.DataFrame
        A run: ``qid``, ``docid``, ``rank`` (from 1) and ``score``.

    Raises
    ------
    QgdrError
        If the method is unknown, there are fewer than two runs, or weights that cannot be used.

    Examples
    --------
    >>> fused = fuse({"bm25": {"q": {"a": 9.0, "b": 3.0}}, "dense": {"q": {"b": 0.9, "c": 0.8, "a": 0.4}}})
    >>> fused.docid.tolist()
    ['b', 'a', 'c']
    """
    check_method(method)
    if len(runs) < 2:
        raise QgdrError("fusion needs two runs or more")
    if weights is not None and weights.keys() != runs.keys():
        raise QgdrError(
            f"weights are of {', '.join(weights)}, and runs of {', '.join(runs)}; give each run one"
        )
    given = [weights[name] for name in runs] if weights else []
    check_weights(method, given, len(runs))
    systems = [to_system(name, run) for name, run in runs.items()]
    return run_frame(fuse_systems(method, method, systems, given).run)


def _place(corpus: AnyCorpus | None) -> contextlib.AbstractContextManager[str | None]:
    return contextlib.nullcontext() if corpus is None else corpus_on_disk(corpus)


def _frame(comparison: Comparison) -> pd.DataFrame:
    import pandas as pd

    frame = pd.DataFrame(list(_score_rows(comparison)))
    # Whole numbers stay whole beside what is missing.
    return frame.astype({name: "Int64" if name in _COUNTS else "float64" for name in _NUMBERS})


def _score_rows(comparison: Comparison) -> Iterator[dict[str, Any]]:
    for metric, systems in comparison.results.items():
        for language in row_names(next(iter(systems.values()))):
            for system, scores in systems.items():
                row: dict[str, Any] = {"metric": metric, "language": language, "system": system}
                if language == MEAN:
                    mean = scores.mean
                    row |= _estimate(None, mean.value, mean.interval)
                    row |= _difference(mean.difference, mean.difference_interval)
                else:
                    score = score_of(scores, language)
                    row |= _estimate(score.queries, score.mean, score.interval) | _tested(score.against)
                yield row


def _estimate(queries: int | None, score: float, interval: Interval) -> dict[str, Any]:
    return {"queries": queries, "score": float(score), "low": interval.low, "high": interval.high}


def _difference(mean: float | None, interval: Interval | None) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(_AGAINST)
    if mean is not None and interval is not None:
        row |= {"difference": mean, "difference_low": interval.low, "difference_high": interval.high}
    return row


def _tested(against: Difference | None) -> dict[str, Any]:
    if against is None:
        return _difference(None, None)
    return _difference(against.mean, against.interval) | {
        "effect_size": against.effect,
        "wins": against.wins,
        "ties": against.ties,
        "losses": against.losses,
        "p": against.p_holm,
        "p_randomisation": against.p_randomisation_holm,
    }


def _query_frame(comparison: Comparison) -> pd.DataFrame:
    import pandas as pd

    rows = [
        (metric, qid, language, system, float(score))
        for metric, found in comparison.by_query.items()
        for system, scores in found.systems.items()
        for qid, language, score in zip(found.qids, found.languages, scores, strict=True)
    ]
    return pd.DataFrame(rows, columns=["metric", "qid", "language", "system", "score"])
