"""Tables of systems made more than once, in Markdown and JSON: mean, spread and significance."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qgdr_pyserini.collection.trec import Qrels, read_qrels
from qgdr_pyserini.evaluate.compare import language_rows
from qgdr_pyserini.evaluate.languages import group_queries, language_by_query, question_numbers
from qgdr_pyserini.evaluate.metrics import score_queries
from qgdr_pyserini.evaluate.reports.report import JSON, MARKDOWN
from qgdr_pyserini.evaluate.reports.tables import count, mark_difference, p_text
from qgdr_pyserini.evaluate.reproduce.reproduction import (
    MEAN,
    QRELS,
    Reproduction,
    TableSettings,
    choices,
    fill,
    run_name,
)
from qgdr_pyserini.evaluate.results import Difference, SystemScores
from qgdr_pyserini.evaluate.significance import CONFIDENCE, RESAMPLES, Interval
from qgdr_pyserini.evaluate.statistics import summarise
from qgdr_pyserini.evaluate.systems import read_system
from qgdr_pyserini.files import atomic_text

Array = NDArray[np.float64]

_FORMAT = "qgdr-table/1"


@dataclass(frozen=True)
class Cell:
    """A system's score in a language, or the mean of the languages.

    Attributes
    ----------
    repeats
        The score of each repeat.
    difference, interval
        Of the mean over the repeats from the baseline's, paired by query, and its bootstrap interval over
        queries; None for the baseline.
    test
        Whether that is statistically significant; None for the baseline and for the mean of the languages.
    """

    repeats: list[float]
    difference: float | None
    interval: Interval | None
    test: Difference | None

    @property
    def value(self) -> float:
        """The mean over the repeats."""
        return statistics.mean(self.repeats)

    @property
    def deviation(self) -> float | None:
        """Standard deviation of the repeats; None for one."""
        return statistics.stdev(self.repeats) if len(self.repeats) > 1 else None


Table = dict[str, dict[str, Cell]]
"""Cell by language (and `MEAN`) by row."""


def score_tables(
    reproduction: Reproduction, settings: TableSettings, folder: Path
) -> dict[str, dict[str, Table]]:
    """Score the kept runs of all tables.

    A query's score is its mean over a system's repeats; the tests are paired by query, and under a metric all
    systems of a table in all languages, and over all queries, are one family for Holm's correction.

    Parameters
    ----------
    reproduction, settings
        What ``reproduce.toml`` says.
    folder
        Where the kept runs are.

    Returns
    -------
    dict of str to dict
        By what is varied over (the empty string where nothing is), the table of each metric.
    """
    over = settings.over
    if over is None:
        return {"": _score_table(reproduction, settings, folder, {})}
    return {
        value: _score_table(reproduction, settings, folder, {over: value})
        for value in reproduction.vary[over]
    }


def _score_table(
    reproduction: Reproduction, settings: TableSettings, folder: Path, chosen: Mapping[str, str]
) -> dict[str, Table]:
    """Score the table of each metric, at a value of what is varied over."""
    qrels = read_qrels(folder / QRELS)
    groups = group_queries(sorted(qrels), {})
    rows = language_rows(groups)
    languages = language_by_query(groups)
    questions = question_numbers(languages)
    scores = {
        name: np.stack(
            [_score_run(reproduction, system, folder, qrels, list(languages)) for system in systems]
        )
        for name, systems in _systems(reproduction, settings, chosen).items()
    }
    stacked = np.stack([repeats.mean(axis=0) for repeats in scores.values()], axis=-1)
    mean_of = reproduction.mean_of or list(groups)
    metrics, names = reproduction.metrics, list(scores)
    tested = summarise(stacked, rows, questions, metrics, names, settings.baseline, mean_of)
    return {
        metric: {
            name: _make_row(repeats[:, :, place], tested[metric][name], rows)
            for name, repeats in scores.items()
        }
        for place, metric in enumerate(metrics)
    }


def _systems(
    reproduction: Reproduction, settings: TableSettings, chosen: Mapping[str, str]
) -> dict[str, list[str]]:
    """List each row's systems, one for each repeat."""
    repeats = {settings.spread: reproduction.vary[settings.spread]}
    return {
        name: [fill(fill(template, chosen), values) for values in choices(template, repeats)]
        for name, template in settings.rows.items()
    }


def _score_run(
    reproduction: Reproduction, system: str, folder: Path, qrels: Qrels, qids: Sequence[str]
) -> Array:
    """Score a kept run, shape (queries, metrics)."""
    run = read_system(system, [str(folder / run_name(system))]).run
    scores = score_queries(qrels, run, qids, reproduction.metrics)
    return np.stack([scores[metric] for metric in reproduction.metrics], axis=-1)


def _make_row(repeats: Array, tested: SystemScores, rows: Mapping[str, slice]) -> dict[str, Cell]:
    """Make a system's cells from its scores ``(repeats, queries)`` and how their mean was tested."""
    means = {row: repeats[:, rows[row]].mean(axis=1) for row in tested.languages}
    cells = {row: _make_cell(means[row], score.against) for row, score in tested.languages.items()}
    mean = tested.mean
    over = np.mean([means[language] for language in mean.languages], axis=0)
    return cells | {MEAN: Cell(over.tolist(), mean.difference, mean.difference_interval, None)}


def _make_cell(repeats: Array, test: Difference | None) -> Cell:
    if test is None:
        return Cell(repeats.tolist(), None, None, None)
    return Cell(repeats.tolist(), test.mean, test.interval, test)


def write_table_report(reproduction: Reproduction, settings: TableSettings, folder: Path) -> list[Path]:
    """Score the kept runs in a folder and write ``report.md`` and ``report.json`` beside them.

    Parameters
    ----------
    reproduction, settings
        What ``reproduce.toml`` says.
    folder
        Where it lies.

    Returns
    -------
    list of Path
        The files.
    """
    tables = score_tables(reproduction, settings, folder)
    with atomic_text(folder / MARKDOWN) as file:
        file.write("\n".join(_markdown(reproduction, settings, tables)) + "\n")
    with atomic_text(folder / JSON) as file:
        json.dump(_object(reproduction, settings, tables), file, ensure_ascii=False, indent=1)
        file.write("\n")
    return [folder / MARKDOWN, folder / JSON]


def _markdown(
    reproduction: Reproduction, settings: TableSettings, tables: dict[str, dict[str, Table]]
) -> Iterator[str]:
    yield from (f"# {reproduction.about}", "", _explanation(reproduction, settings), "")
    for value, metrics in tables.items():
        level = "##"
        if settings.over:
            yield from (f"## {settings.titles.get(value, value)}", "")
            level = "###"
        for metric, table in metrics.items():
            yield from (f"{level} {metric}", "", *_scores(table, settings.baseline), "")
            yield from (f"{level}# Differences from {settings.baseline}", "", *_differences(table), "")


def _explanation(reproduction: Reproduction, settings: TableSettings) -> str:
    repeats = reproduction.vary[settings.spread]
    counted = f" of {', '.join(reproduction.mean_of)}" if reproduction.mean_of else ""
    return " ".join(
        (
            f"Mean ± standard deviation of {count(len(repeats), 'run', 'runs')} ({settings.spread}",
            f"{', '.join(repeats)}); rows without ± were made once. The mean is that{counted}.",
            f"↑ better, ↓ worse than {settings.baseline}: \\* p < 0.05, \\*\\* p < 0.01 by Student's t-test,",
            "two-sided, paired by query, of each query's mean over the runs, Holm-corrected for all systems",
            f"{'of a table ' if settings.over else ''}in every language and over all queries under a metric,",
            "translations of a question counting as one. That tells whether other questions would show a",
            "difference; ± how much other seeds would.",
            f"Brackets are {CONFIDENCE:.0%} bootstrap intervals over questions ({RESAMPLES:,} resamples),",
            "within each language for the mean, which is not tested.",
            "Every figure is computed from the runs in this folder.",
        )
    )


def _scores(table: Table, baseline: str) -> Iterator[str]:
    columns = list(table[baseline])
    yield f"| | {' | '.join(columns)} |"
    yield f"|---{'|---' * len(columns)}|"
    for name, cells in table.items():
        head = f"{name} (baseline)" if name == baseline else name
        yield f"| {head} | {' | '.join(_score(cells[column]) for column in columns)} |"


def _score(cell: Cell) -> str:
    spread = "" if cell.deviation is None else f" ± {cell.deviation:.3f}"
    mark = mark_difference(cell.test).replace("*", r"\*")
    return f"{cell.value:.3f}{spread} {mark}".rstrip()


def _differences(table: Table) -> Iterator[str]:
    others = {name: cells for name, cells in table.items() if cells[MEAN].difference is not None}
    columns = list(next(iter(others.values())))
    yield f"| | {' | '.join(columns)} |"
    yield f"|---{'|---' * len(columns)}|"
    for name, cells in others.items():
        yield f"| {name} | {' | '.join(_difference(cells[column]) for column in columns)} |"


def _difference(cell: Cell) -> str:
    if cell.difference is None or cell.interval is None:
        return ""
    p_value = "" if cell.test is None else f", p {_equals(p_text(cell.test.p_holm))}"
    return f"{cell.difference:+.3f} [{cell.interval.low:+.3f}, {cell.interval.high:+.3f}]{p_value}"


def _equals(p_value: str) -> str:
    return p_value if p_value.startswith("<") else f"= {p_value}"


def _object(
    reproduction: Reproduction, settings: TableSettings, tables: dict[str, dict[str, Table]]
) -> dict[str, Any]:
    results = {value: _results(metrics) for value, metrics in tables.items()}
    return {
        "format": _FORMAT,
        "spread": {settings.spread: reproduction.vary[settings.spread]},
        "baseline": settings.baseline,
        "mean_of": reproduction.mean_of,
        "significance": {"test": "Student's t-test, paired by query, two-sided", "correction": "Holm"},
        "intervals": {"method": "percentile bootstrap", "confidence": CONFIDENCE, "resamples": RESAMPLES},
        "results": {settings.over: results} if settings.over else results[""],
    }


def _results(tables: dict[str, Table]) -> dict[str, Any]:
    return {
        metric: {
            name: {column: _numbers(cell) for column, cell in cells.items()} for name, cells in table.items()
        }
        for metric, table in tables.items()
    }


def _numbers(cell: Cell) -> dict[str, Any]:
    found: dict[str, Any] = {
        "score": round(cell.value, 6),
        "repeats": [round(value, 6) for value in cell.repeats],
    }
    if cell.difference is not None and cell.interval is not None:
        found["difference"] = round(cell.difference, 6)
        found["interval"] = [round(end, 6) for end in cell.interval]
    if cell.test is not None:
        found |= {"p": cell.test.p_value, "p_holm": cell.test.p_holm}
    return found
