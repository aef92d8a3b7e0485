"""Scores of systems that were made more than once: their mean, their spread, and what is more than chance."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qgdr_pyserini.collection.trec import Qrels, read_qrels
from qgdr_pyserini.evaluate.bootstrap import Interval
from qgdr_pyserini.evaluate.compare import language_rows
from qgdr_pyserini.evaluate.languages import group_queries, language_by_query
from qgdr_pyserini.evaluate.metrics import score_queries
from qgdr_pyserini.evaluate.parallel import question_numbers
from qgdr_pyserini.evaluate.reproduce.reproduction import MEAN, QRELS, Reproduction, run_name
from qgdr_pyserini.evaluate.reproduce.table_settings import TableSettings
from qgdr_pyserini.evaluate.reproduce.varying import choices, fill
from qgdr_pyserini.evaluate.results import Difference, SystemScores
from qgdr_pyserini.evaluate.statistics import summarise
from qgdr_pyserini.evaluate.systems import read_system

Array = NDArray[np.float64]


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
        Whether that is more than chance; None for the baseline and for the mean of the languages.
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
        name: np.stack([_scores(reproduction, system, folder, qrels, list(languages)) for system in systems])
        for name, systems in _systems(reproduction, settings, chosen).items()
    }
    stacked = np.stack([repeats.mean(axis=0) for repeats in scores.values()], axis=-1)
    mean_of = reproduction.mean_of or list(groups)
    metrics, names = reproduction.metrics, list(scores)
    tested = summarise(stacked, rows, questions, metrics, names, settings.baseline, mean_of)
    return {
        metric: {
            name: _row(repeats[:, :, place], tested[metric][name], rows) for name, repeats in scores.items()
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


def _scores(
    reproduction: Reproduction, system: str, folder: Path, qrels: Qrels, qids: Sequence[str]
) -> Array:
    """Score a kept run, shape (queries, metrics)."""
    run = read_system(system, [str(folder / run_name(system))]).run
    scores = score_queries(qrels, run, qids, reproduction.metrics)
    return np.stack([scores[metric] for metric in reproduction.metrics], axis=-1)


def _row(repeats: Array, tested: SystemScores, rows: Mapping[str, slice]) -> dict[str, Cell]:
    """Make a system's cells from its scores ``(repeats, queries)`` and how their mean was tested."""
    means = {row: repeats[:, rows[row]].mean(axis=1) for row in tested.languages}
    cells = {row: _cell(means[row], score.against) for row, score in tested.languages.items()}
    mean = tested.mean
    over = np.mean([means[language] for language in mean.languages], axis=0)
    return cells | {MEAN: Cell(over.tolist(), mean.difference, mean.difference_interval, None)}


def _cell(repeats: Array, test: Difference | None) -> Cell:
    if test is None:
        return Cell(repeats.tolist(), None, None, None)
    return Cell(repeats.tolist(), test.mean, test.interval, test)
