"""Curves of a score as one value changes, computed from the runs that are kept."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qgdr_pyserini.collection.trec import Qrels, read_qrels
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.evaluate.languages import by_question, language_of, question_numbers
from qgdr_pyserini.evaluate.metrics import score_queries
from qgdr_pyserini.evaluate.reproduce.kept_runs import found_queries
from qgdr_pyserini.evaluate.reproduce.reproduction import (
    QRELS,
    CurveSettings,
    Reproduction,
    fill,
    names_in,
    run_name,
)
from qgdr_pyserini.evaluate.significance import Interval, intervals, resampled_means
from qgdr_pyserini.evaluate.systems import read_system

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Point:
    """A curve's score at one place.

    Parameters
    ----------
    by_query
        Scores, averaged over what is spread, shape (queries,).
    repeats
        The mean over queries for each value that is spread, such as each seed.
    interval
        Bootstrap interval of the mean over queries.
    """

    by_query: Array
    repeats: list[float]
    interval: Interval

    @property
    def value(self) -> float:
        """The mean over queries and repeats."""
        return float(self.by_query.mean())

    @property
    def deviation(self) -> float | None:
        """Standard deviation of the repeats; None for one."""
        return statistics.stdev(self.repeats) if len(self.repeats) > 1 else None


@dataclass(frozen=True)
class Curve:
    """A line of a figure.

    Parameters
    ----------
    name
        What it is called.
    points
        One for each value along the axis; one alone for a level line.
    """

    name: str
    points: list[Point]

    @property
    def level(self) -> bool:
        """Whether what is varied has no part in it."""
        return len(self.points) == 1

    def at(self, place: int) -> Point:
        """Give the point at a place along the axis."""
        return self.points[0 if self.level else place]


@dataclass(frozen=True)
class Panel:
    """Curves that are drawn in one field, all over the same queries.

    Parameters
    ----------
    title
        What stands above it.
    curves
        The lines.
    questions
        The question of each query that is scored, shape (queries,), from `question_numbers`.
    judged
        How many queries have judgements.
    """

    title: str
    curves: list[Curve]
    questions: NDArray[np.intp]
    judged: int

    @property
    def queries(self) -> int:
        """How many queries are scored."""
        return len(self.questions)

    @property
    def asked(self) -> int:
        """How many questions these are, translations counting as one."""
        return len(np.unique(self.questions))

    def difference(self, other: Curve, place: int) -> tuple[float, Interval]:
        """How far the first curve is above another, and the paired bootstrap interval."""
        differences = self.curves[0].at(place).by_query - other.at(place).by_query
        (interval,) = intervals(resampled_means(*by_question(differences[:, None], self.questions)))
        return float(differences.mean()), interval


def score_curves(reproduction: Reproduction, curves: CurveSettings, folder: Path) -> list[Panel]:
    """Score every run of every curve.

    Parameters
    ----------
    reproduction, curves
        What is drawn.
    folder
        Where the kept runs are.

    Raises
    ------
    QgdrError
        If a file cannot be read, or the systems of one panel are not about the same queries.
    """
    qrels = read_qrels(folder / QRELS)
    return [_panel(title, own, reproduction, qrels, folder) for title, own in curves.panels.items()]


def _panel(
    title: str, templates: dict[str, str], reproduction: Reproduction, qrels: Qrels, folder: Path
) -> Panel:
    curves = reproduction.curves
    assert curves is not None
    scored: dict[tuple[str, ...], list[str]] = {}

    def scores(system: str) -> Array:
        run = read_system(system, [str(folder / run_name(system))])
        qids = found_queries(qrels, run) if reproduction.found_only else sorted(qrels)
        scored.setdefault(tuple(qids), []).append(system)
        if len(scored) > 1 or not qids:
            first, *others = (systems[0] for systems in scored.values())
            raise QgdrError(
                f"curves: panel {title!r}: {', '.join([first, *others])} are not about the same queries"
                if others
                else f"curves: {system} has no relevant passage among its hits"
            )
        return score_queries(qrels, run.run, qids, [curves.metric])[curves.metric]

    points = {
        name: [[scores(one) for one in systems] for systems in _systems(template, reproduction)]
        for name, template in templates.items()
    }
    questions = question_numbers({qid: language_of(qid) or "" for qid in next(iter(scored))})
    found = [Curve(name, [_point(repeats, questions) for repeats in own]) for name, own in points.items()]
    return Panel(title, found, questions, len(qrels))


def _systems(template: str, reproduction: Reproduction) -> list[list[str]]:
    """List the systems at each place along the axis, one for each repeat."""
    curves, vary = reproduction.curves, reproduction.vary
    assert curves is not None
    places = vary[curves.over] if names_in(template, {curves.over: ()}) else [""]
    repeats = vary[curves.spread] if curves.spread and names_in(template, {curves.spread: ()}) else [""]
    return [
        [fill(template, {curves.over: place, curves.spread or "": repeat}) for repeat in repeats]
        for place in places
    ]


def _point(repeats: Sequence[Array], questions: NDArray[np.intp]) -> Point:
    by_query = np.mean(repeats, axis=0)
    (interval,) = intervals(resampled_means(*by_question(by_query[:, None], questions)))
    return Point(by_query, [float(scores.mean()) for scores in repeats], interval)
