"""From files to a report: what ``qgdr compare`` does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qgdr_pyserini.collection.topics import read_topics
from qgdr_pyserini.collection.trec import Qrels, Run, read_qrels
from qgdr_pyserini.dictionary.passage_languages import read_passage_languages
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.evaluate.answers import Answered, read_answered, read_passages
from qgdr_pyserini.evaluate.compare import compare
from qgdr_pyserini.evaluate.fusion import add_fused
from qgdr_pyserini.evaluate.languages import read_languages
from qgdr_pyserini.evaluate.metrics import (
    ANSWER_METRICS,
    DEFAULT_METRICS,
    GRADED_METRICS,
    check_metrics,
    is_answer_metric,
    recall_curve,
)
from qgdr_pyserini.evaluate.passage_languages import (
    PassageLanguages,
    pool_shares,
    score_fairness,
    score_matrices,
)
from qgdr_pyserini.evaluate.per_query import largest_changes
from qgdr_pyserini.evaluate.reports.html import Changes
from qgdr_pyserini.evaluate.reports.report import refuse_files, refuse_report, write_report
from qgdr_pyserini.evaluate.results import Comparison
from qgdr_pyserini.evaluate.systems import System, find_runs, read_runs_together, read_systems
from qgdr_pyserini.evaluate.xor_retrieve import write_predictions
from qgdr_pyserini.files import expand_pattern

SHOWN_SYSTEMS = 3
"""Systems whose largest changes the page shows."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """The options of ``qgdr compare``, as its help explains them."""

    runs: Sequence[str]
    output: str
    qrels: str | None = None
    answers: str | None = None
    corpus: str | None = None
    fuse: Sequence[str] = ()
    baseline: str | None = None
    metrics: Sequence[str] = ()
    topics: Sequence[str] = ()
    languages: Sequence[str] = ()
    mean_of: Sequence[str] = ()
    xor_predictions: bool = False
    overwrite: bool = False
    passage_languages: str | None = None
    alone: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """By system, run files of searches in the passages of one language each, for its matrix."""


@dataclass(frozen=True, kw_only=True)
class Material:
    """What is compared, and what a report shows of it.

    Parameters
    ----------
    systems
        With their hits.
    qrels, qrels_file
        Judgements, and what to call them; none if all metrics look for answers.
    answered
        Answers, for metrics that look for them.
    languages, questions
        By qid, as far as they are known.
    corpus
        What was searched, for the passages to be shown.
    passage_languages
        Language by docid, of all passages that were searched, as far as reports are to tell of it.
    alone
        By system, the hits of searches in the passages of each language alone, put together.
    """

    systems: Sequence[System]
    qrels: Qrels
    qrels_file: str = "qrels"
    answered: Answered | None = None
    languages: Mapping[str, str] = field(default_factory=dict)
    questions: Mapping[str, str] = field(default_factory=dict)
    corpus: str | None = None
    passage_languages: Mapping[str, str] = field(default_factory=dict)
    alone: Mapping[str, Run] = field(default_factory=dict)


def run_comparison(request: Request) -> tuple[Comparison, list[Path]]:
    """Read the files, compare, and write the report.

    Parameters
    ----------
    request
        What to compare and where to write.

    Returns
    -------
    tuple of Comparison and list of Path
        What was found, and the files written.

    Raises
    ------
    QgdrError
        If the options do not fit together or a file cannot be used; nothing is written then.
    """
    _refuse_options(request)
    check_metrics(request.metrics)
    refuse_report(request.output, overwrite=request.overwrite)
    refuse_files(_prediction_files(request).values(), overwrite=request.overwrite)
    systems = add_fused(read_systems(request.runs), request.fuse)
    topics = [file for pattern in request.topics for file in expand_pattern(pattern)]
    qrels = read_qrels(request.qrels) if request.qrels else {}
    metrics = check_metrics(request.metrics or usual_metrics(qrels, answers=request.answers is not None))
    material = Material(
        systems=systems,
        qrels=qrels,
        qrels_file=request.qrels or "",
        answered=read_answered(request.answers, request.corpus or "", systems) if request.answers else None,
        languages=read_languages(topics),
        questions={qid: text for file in topics for qid, text in read_topics(file).items()},
        corpus=request.corpus,
        passage_languages=read_passage_languages(request.passage_languages)
        if request.passage_languages
        else {},
        alone={name: read_runs_together(files) for name, files in request.alone.items()},
    )
    comparison = compare_material(
        material, metrics, baseline=request.baseline, only=request.languages, mean_of=request.mean_of
    )
    files = report_material(material, comparison, request.output, overwrite=request.overwrite)
    return comparison, [*files, *_write_predictions(request, systems, material.answered)]


def compare_material(
    material: Material,
    metrics: Sequence[str],
    *,
    baseline: str | None = None,
    only: Sequence[str] = (),
    mean_of: Sequence[str] = (),
) -> Comparison:
    """Compare what was read; parameters and errors as in `compare`."""
    comparison = compare(
        material.qrels,
        material.systems,
        metrics,
        qrels_file=material.qrels_file,
        answered=material.answered,
        baseline=baseline,
        languages=material.languages,
        only=only,
        mean_of=mean_of,
    )
    if not material.passage_languages:
        return comparison
    return replace(comparison, passages=_passage_languages(material, comparison))


def _passage_languages(material: Material, comparison: Comparison) -> PassageLanguages:
    """Score fairness and matrices on the queries that judged passages were counted for."""
    judging = [found for metric, found in comparison.by_query.items() if not is_answer_metric(metric)]
    if not judging:
        raise QgdrError("--passage-languages needs --qrels FILE, and a metric that counts judged passages")
    groups: dict[str, list[str]] = {}
    for qid, language in zip(judging[0].qids, judging[0].languages, strict=True):
        groups.setdefault(language, []).append(qid)
    runs = {system.name: system.run for system in material.systems}
    known, qrels = material.passage_languages, {qid: material.qrels[qid] for qid in judging[0].qids}
    return PassageLanguages(
        pool_shares(known),
        {name: score_fairness(run, qrels, groups, known) for name, run in runs.items()},
        {
            name: score_matrices(material.alone.get(name, run), qrels, groups, known)
            for name, run in runs.items()
        },
        tuple(material.alone),
    )


def report_material(
    material: Material, comparison: Comparison, output: str, *, overwrite: bool
) -> tuple[Path, ...]:
    """Write the report of a comparison; see `write_report`."""
    return write_report(
        comparison,
        output,
        curves=_curves(comparison, material.systems, material.qrels),
        changes=_changes(material, comparison),
        overwrite=overwrite,
    )


def _curves(
    comparison: Comparison, systems: Sequence[System], qrels: Qrels
) -> dict[str, NDArray[np.float64]] | None:
    judged = [scores.qids for metric, scores in comparison.by_query.items() if not is_answer_metric(metric)]
    if not judged:
        return None
    return {system.name: recall_curve(qrels, system.run, judged[0]) for system in systems}


def _changes(material: Material, comparison: Comparison) -> list[Changes]:
    """Find queries to show, with questions and passages as far as topics and corpus are there."""
    if comparison.baseline is None:
        return []
    systems = material.systems
    passages = read_passages(material.corpus, systems) if material.corpus else {}
    metric = next(iter(comparison.results))
    others = [system.name for system in systems if system.name != comparison.baseline]
    return [
        Changes(
            name,
            metric,
            *largest_changes(comparison, metric, name, systems, material.qrels, material.questions, passages),
        )
        for name in others[:SHOWN_SYSTEMS]
    ]


def _refuse_options(request: Request) -> None:
    if not request.qrels and not request.answers:
        raise QgdrError("nothing to measure on; give --qrels FILE, or --answers FILE and --corpus PATH")
    if request.answers and not request.corpus:
        raise QgdrError("--answers needs --corpus PATH, the passages to look for answers in")
    if request.passage_languages and not request.qrels:
        raise QgdrError("--passage-languages needs --qrels FILE")
    if request.xor_predictions and not request.answers:
        raise QgdrError("--xor-predictions needs --answers FILE and --corpus PATH")


def usual_metrics(qrels: Qrels, *, answers: bool) -> tuple[str, ...]:
    """Choose metrics by what there is to measure on: other ones where judgements are graded."""
    graded = any(grade > 1 for judged in qrels.values() for grade in judged.values())
    judging = GRADED_METRICS if graded else DEFAULT_METRICS if qrels else ()
    return (*judging, *(ANSWER_METRICS if answers else ()))


def _prediction_files(request: Request) -> dict[str, Path]:
    if not request.xor_predictions:
        return {}
    return {name: Path(request.output) / _file_name(name) for name in find_runs(request.runs)}


def _file_name(system: str) -> str:
    return f"xor-predictions.{system.replace('/', '_')}.json"


def _write_predictions(request: Request, systems: Sequence[System], answered: Answered | None) -> list[Path]:
    files = _prediction_files(request)
    if answered is not None:
        for system in systems:
            if system.name in files:
                write_predictions(files[system.name], system.run, answered.answers, answered.tokenized)
    return list(files.values())
