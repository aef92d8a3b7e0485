"""Reports of a comparison: HTML and Markdown to read, LaTeX for a paper, JSON to compute with.

``report.json`` is one object, strict JSON without NaN. Equal input gives equal bytes.

======================  =================================================================================
``format``              ``"qgdr-comparison/2"``
``qrels``, ``answers``  files of the judgements and the answers; null if not used
``baseline``            name of the baseline, or null with a single system
``metrics``             list of names
``queries``             ``{"all": number, "languages": {language: number}, "without_relevant": [qid]}``
``systems``             list of ``{"name", "files": [file], "missing": [qid], "unjudged": [qid]}``
``remarks``             list of sentences: what else a reader has to know
``warnings``            list of sentences: what makes the comparison doubtful
``significance``        ``{"tests": [name], "correction", "comparisons": {metric: number},
                        "randomisations": number, "seed": number}``, or null with a single system
``intervals``           ``{"method", "confidence": number, "resamples": number, "seed": number}``
``results``             ``{metric: {system: {"languages": {language: SCORE}, "mean": MEAN, "all": SCORE}}}``
``passage_languages``   ``{"cut": number, "pool": {language: share}, "searched_alone": [system],
                        "fairness": {system: {language: FAIRNESS}}, "matrices": {system: {metric:
                        {language of questions: {language of passages: score}}}}}``, or null where the
                        passages' languages are not known
======================  =================================================================================

``missing`` are queries of the gold without a hit, which count as zero; ``unjudged`` are queries of the run
that were left out. ``mean`` is the mean of its languages' scores, ``all`` the score over all queries.

- SCORE is ``{"queries": number, "score": number, "interval": [low, high], "against_baseline": DIFFERENCE}``.
- MEAN is ``{"languages": [language], "score", "interval", "difference", "difference_interval"}``, the last
  two null for the baseline.
- DIFFERENCE is ``{"difference": number, "interval": [low, high], "effect_size": number, "wins": number,
  "ties": number, "losses": number, "p": number, "p_holm": number, "p_randomisation": number,
  "p_randomisation_holm": number}``, or null for the baseline. ``p`` is Student's. ``effect_size`` is null
  where all differences are equal and not zero.
- FAIRNESS is ``{"queries": number, "own": number, "pool": number, "awrf": number, "peer": number}``: ``own``
  and ``pool`` are shares of the questions' language, among the first ``cut`` hits and of all passages;
  ``peer`` is null where it cannot tell.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.evaluate.passage_languages import CUT, PassageLanguages
from qgdr_pyserini.evaluate.reports.figures import draw_all
from qgdr_pyserini.evaluate.reports.heat_map import draw_heat_maps
from qgdr_pyserini.evaluate.reports.html import Changes, to_html
from qgdr_pyserini.evaluate.reports.latex import to_latex
from qgdr_pyserini.evaluate.reports.markdown import to_markdown
from qgdr_pyserini.evaluate.results import Comparison, Coverage, Difference, Score, SystemScores
from qgdr_pyserini.evaluate.significance import CONFIDENCE, RANDOMISATIONS, RESAMPLES, SEED
from qgdr_pyserini.files import atomic_directory, atomic_text

MARKDOWN = "report.md"
JSON = "report.json"
HTML = "report.html"
LATEX = "report.tex"
FIGURES = "figures"


def refuse_report(directory: str | os.PathLike[str], *, overwrite: bool) -> None:
    """Raise `QgdrError` where `write_report` would destroy an earlier report unasked, or has no directory."""
    folder = Path(directory)
    if folder.exists() and not folder.is_dir():
        raise QgdrError(f"{folder}: is a file, not a directory; choose another name")
    refuse_files((folder / name for name in (MARKDOWN, JSON, HTML, LATEX, FIGURES)), overwrite=overwrite)


def refuse_files(files: Iterable[Path], *, overwrite: bool) -> None:
    """Raise `QgdrError` where writing one of these would destroy it unasked."""
    for file in files:
        if file.exists() and not overwrite:
            raise QgdrError(
                f"{file}: already exists; pass --overwrite to replace it, or choose another directory"
            )


def write_report(
    comparison: Comparison,
    directory: str | os.PathLike[str],
    *,
    curves: dict[str, NDArray[np.float64]] | None = None,
    changes: Sequence[Changes] = (),
    overwrite: bool = False,
) -> tuple[Path, ...]:
    """Write the reports and the folder of figures into a directory; other files there stay as they are.

    Parameters
    ----------
    comparison
        What to report.
    directory
        Where to; made if it is missing.
    curves
        Recall at 1, 2, ... by system, to be drawn.
    changes
        Queries to show on the page.
    overwrite
        Replace an earlier report.

    Returns
    -------
    tuple of Path
        The reports, and the folder of figures.

    Raises
    ------
    QgdrError
        If there is a report already and ``overwrite`` is false, or the directory cannot be written.
    """
    refuse_report(directory, overwrite=overwrite)
    folder = Path(directory)
    drawings = draw_all(comparison, curves)
    heat_maps = draw_heat_maps(comparison.passages)
    reports = {
        JSON: to_json(comparison),
        LATEX: to_latex(comparison),
        HTML: to_html(comparison, drawings, changes, heat_maps),
        MARKDOWN: to_markdown(comparison),
    }
    try:
        with atomic_directory(folder / FIGURES, overwrite=overwrite) as work:
            for drawing in (*drawings, *heat_maps):
                drawing.save(work)
        for name, text in reports.items():
            with atomic_text(folder / name) as file:
                file.write(text)
    except OSError as error:
        raise QgdrError(f"{os.fspath(directory)}: cannot be written ({error.strerror or error})") from None
    return tuple(folder / name for name in (HTML, MARKDOWN, LATEX, JSON, FIGURES))


def to_json(comparison: Comparison) -> str:
    """Write a comparison as the JSON described above."""
    report = {
        "format": "qgdr-comparison/2",
        "qrels": comparison.qrels,
        "answers": comparison.answers,
        "baseline": comparison.baseline,
        "metrics": list(comparison.results),
        "queries": {
            "all": sum(comparison.queries.values()),
            "languages": comparison.queries,
            "without_relevant": comparison.without_relevant,
        },
        "systems": [_system(system) for system in comparison.systems],
        "remarks": comparison.remarks,
        "warnings": comparison.warnings,
        "significance": _significance(comparison),
        "intervals": {
            "method": "percentile bootstrap over queries",
            "confidence": CONFIDENCE,
            "resamples": RESAMPLES,
            "seed": SEED,
        },
        "results": {
            metric: {name: _scores(scores) for name, scores in results.items()}
            for metric, results in comparison.results.items()
        },
        "passage_languages": _passage_languages(comparison.passages),
    }
    return json.dumps(report, ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def _passage_languages(found: PassageLanguages | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "cut": CUT,
        "pool": found.pool,
        "fairness": {
            system: {language: asdict(fairness) for language, fairness in scores.items()}
            for system, scores in found.fairness.items()
        },
        "matrices": found.matrices,
        "searched_alone": found.alone,
    }


def _system(system: Coverage) -> dict[str, Any]:
    return {
        "name": system.name,
        "files": system.files,
        "missing": system.missing,
        "unjudged": system.unjudged,
    }


def _significance(comparison: Comparison) -> dict[str, Any] | None:
    if comparison.baseline is None:
        return None
    return {
        "tests": [
            "Student's t-test, paired by query, two-sided",
            "Fisher's randomisation test, paired by query, two-sided",
        ],
        "correction": "Holm",
        "comparisons": comparison.tests,
        "randomisations": RANDOMISATIONS,
        "seed": SEED,
    }


def _scores(scores: SystemScores) -> dict[str, Any]:
    mean = scores.mean
    return {
        "languages": {language: _score(score) for language, score in scores.languages.items()},
        "mean": {
            "languages": mean.languages,
            "score": mean.value,
            "interval": mean.interval,
            "difference": mean.difference,
            "difference_interval": mean.difference_interval,
        },
        "all": _score(scores.overall),
    }


def _score(score: Score) -> dict[str, Any]:
    return {
        "queries": score.queries,
        "score": score.mean,
        "interval": score.interval,
        "against_baseline": None if score.against is None else _difference(score.against),
    }


def _difference(against: Difference) -> dict[str, Any]:
    return {
        "difference": against.mean,
        "interval": against.interval,
        "effect_size": against.effect,
        "wins": against.wins,
        "ties": against.ties,
        "losses": against.losses,
        "p": against.p_value,
        "p_holm": against.p_holm,
        "p_randomisation": against.p_randomisation,
        "p_randomisation_holm": against.p_randomisation_holm,
    }
