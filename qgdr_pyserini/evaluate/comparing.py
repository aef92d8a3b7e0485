"""From files to a report: what ``qgdr compare`` does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qgdr_pyserini.collection.topics import read_topics
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.evaluate.answered import Answered, read_answered, read_passages
from qgdr_pyserini.evaluate.changes import largest_changes
from qgdr_pyserini.evaluate.compare import compare
from qgdr_pyserini.evaluate.curves import recall_curve
from qgdr_pyserini.evaluate.fusion import add_fused
from qgdr_pyserini.evaluate.html import Changes
from qgdr_pyserini.evaluate.languages import read_languages
from qgdr_pyserini.evaluate.metrics import (
    ANSWER_METRICS,
    DEFAULT_METRICS,
    GRADED_METRICS,
    check_metrics,
    is_answer_metric,
)
from qgdr_pyserini.evaluate.report import refuse_files, refuse_report, write_report
from qgdr_pyserini.evaluate.results import Comparison
from qgdr_pyserini.evaluate.runs import System, find_runs, read_systems
from qgdr_pyserini.evaluate.trec import Qrels, read_qrels
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
    qrels = read_qrels(request.qrels) if request.qrels else {}
    systems = add_fused(read_systems(request.runs), request.fuse)
    topics = [file for pattern in request.topics for file in expand_pattern(pattern)]
    answered = read_answered(request.answers, request.corpus or "", systems) if request.answers else None
    comparison = compare(
        qrels,
        systems,
        check_metrics(request.metrics or _usual_metrics(request, qrels)),
        qrels_file=request.qrels or "",
        answered=answered,
        baseline=request.baseline,
        languages=read_languages(topics),
        only=request.languages,
        mean_of=request.mean_of,
    )
    files = write_report(
        comparison,
        request.output,
        curves=_curves(comparison, systems, qrels),
        changes=_changes(request, comparison, systems, qrels, topics),
        overwrite=request.overwrite,
    )
    return comparison, [*files, *_write_predictions(request, systems, answered)]


def _curves(
    comparison: Comparison, systems: Sequence[System], qrels: Qrels
) -> dict[str, NDArray[np.float64]] | None:
    judged = [scores.qids for metric, scores in comparison.by_query.items() if not is_answer_metric(metric)]
    if not judged:
        return None
    return {system.name: recall_curve(qrels, system.run, judged[0]) for system in systems}


def _changes(
    request: Request,
    comparison: Comparison,
    systems: Sequence[System],
    qrels: Qrels,
    topics: Sequence[str],
) -> list[Changes]:
    """Find queries to show, with questions and passages as far as --topics and --corpus give them."""
    if comparison.baseline is None:
        return []
    questions = {qid: text for file in topics for qid, text in read_topics(file).items()}
    passages = read_passages(request.corpus, systems) if request.corpus else {}
    metric = next(iter(comparison.results))
    others = [system.name for system in systems if system.name != comparison.baseline]
    return [
        Changes(
            name,
            metric,
            *largest_changes(comparison, metric, name, systems, qrels, questions, passages),
        )
        for name in others[:SHOWN_SYSTEMS]
    ]


def _refuse_options(request: Request) -> None:
    if not request.qrels and not request.answers:
        raise QgdrError("nothing to measure on; give --qrels FILE, or --answers FILE and --corpus PATH")
    if request.answers and not request.corpus:
        raise QgdrError("--answers needs --corpus PATH, the passages to look for answers in")
    if request.xor_predictions and not request.answers:
        raise QgdrError("--xor-predictions needs --answers FILE and --corpus PATH")


def _usual_metrics(request: Request, qrels: Qrels) -> tuple[str, ...]:
    """Choose metrics by what there is to measure on."""
    graded = any(grade > 1 for judged in qrels.values() for grade in judged.values())
    judging = GRADED_METRICS if graded else DEFAULT_METRICS if qrels else ()
    return (*judging, *(ANSWER_METRICS if request.answers else ()))


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
