"""Reports of a comparison: ``report.md`` to read, ``report.json`` to compute with.

``report.json`` is one object, strict JSON without NaN. Equal input gives equal bytes.

====================  =================================================================================
``format``            ``"qgdr-comparison/1"``
``qrels``             file of the judgements
``baseline``          name of the baseline, or null with a single system
``metrics``           list of names
``queries``           ``{"all": number, "languages": {language: number}, "without_relevant": [qid]}``
``systems``           list of ``{"name", "files": [file], "missing": [qid], "unjudged": [qid]}``
``significance``      ``{"test", "correction", "comparisons_per_metric"}``, or null with a single system
``results``           ``{metric: {system: {"languages": {language: SCORE}, "mean": number, "all": SCORE}}}``
====================  =================================================================================

``missing`` are judged queries without a hit, which count as zero; ``unjudged`` are queries of the run that
were left out. ``mean`` is the mean of the languages' scores, ``all`` the score over all queries. SCORE is
``{"score": number, "difference": number, "p": number, "p_holm": number}``; the last three are null for the
baseline.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.evaluate.compare import Comparison, Coverage, Score, SystemScores
from qgdr_pyserini.evaluate.markdown import to_markdown
from qgdr_pyserini.files import atomic_text

MARKDOWN = "report.md"
JSON = "report.json"


def refuse_report(directory: str | os.PathLike[str], *, overwrite: bool) -> None:
    """Raise `QgdrError` where `write_report` would destroy an earlier report unasked, or has no directory."""
    folder = Path(directory)
    if folder.exists() and not folder.is_dir():
        raise QgdrError(f"{folder}: is a file, not a directory; choose another name")
    for file in (folder / MARKDOWN, folder / JSON):
        if file.exists() and not overwrite:
            raise QgdrError(
                f"{file}: already exists; pass --overwrite to replace it, or choose another directory"
            )


def write_report(
    comparison: Comparison, directory: str | os.PathLike[str], *, overwrite: bool = False
) -> tuple[Path, Path]:
    """Write ``report.md`` and ``report.json`` into a directory; other files there stay as they are.

    Parameters
    ----------
    comparison
        What to report.
    directory
        Where to; made if it is missing.
    overwrite
        Replace an earlier report.

    Returns
    -------
    tuple of Path
        The two files.

    Raises
    ------
    QgdrError
        If there is a report already and ``overwrite`` is false, or the directory cannot be written.
    """
    refuse_report(directory, overwrite=overwrite)
    markdown, data = Path(directory) / MARKDOWN, Path(directory) / JSON
    try:
        with atomic_text(data) as file:
            file.write(to_json(comparison))
        with atomic_text(markdown) as file:
            file.write(to_markdown(comparison))
    except OSError as error:
        raise QgdrError(f"{os.fspath(directory)}: cannot be written ({error.strerror or error})") from None
    return markdown, data


def to_json(comparison: Comparison) -> str:
    """Write a comparison as the JSON described above."""
    report = {
        "format": "qgdr-comparison/1",
        "qrels": comparison.qrels,
        "baseline": comparison.baseline,
        "metrics": list(comparison.results),
        "queries": {
            "all": sum(comparison.queries.values()),
            "languages": comparison.queries,
            "without_relevant": comparison.without_relevant,
        },
        "systems": [_system(system) for system in comparison.systems],
        "significance": _significance(comparison),
        "results": {
            metric: {name: _scores(scores) for name, scores in results.items()}
            for metric, results in comparison.results.items()
        },
    }
    return json.dumps(report, ensure_ascii=False, indent=2, allow_nan=False) + "\n"


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
        "test": "Student's t-test, paired by query, two-sided",
        "correction": "Holm",
        "comparisons_per_metric": comparison.tests,
    }


def _scores(scores: SystemScores) -> dict[str, Any]:
    return {
        "languages": {language: _score(score) for language, score in scores.languages.items()},
        "mean": scores.mean,
        "all": _score(scores.overall),
    }


def _score(score: Score) -> dict[str, float | None]:
    return {"score": score.mean, "difference": score.difference, "p": score.p_value, "p_holm": score.p_holm}
