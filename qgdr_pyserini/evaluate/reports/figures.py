"""Figures of a comparison, drawn by matplotlib: for the page, and as files for a paper."""

from __future__ import annotations

import io
import json
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from qgdr_pyserini.evaluate.reports.tables import MEAN, mean_of, row_names, score_of
from qgdr_pyserini.evaluate.results import Comparison, Score
from qgdr_pyserini.evaluate.significance import Interval

INK, GRID = "#1f2933", "#d9dee4"
GAIN, LOSS = "#0b6bcb", "#c2410c"
SERIES = ("#7b8794", "#0b6bcb", "#c2410c", "#0f766e", "#7c3aed", "#b7791f", "#be185d", "#4d7c0f")
"""The baseline's colour, then the other systems'."""

MOST_SYSTEMS = len(SERIES)
"""More cannot be told apart as bars beside each other."""

_CHOSEN = 500
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "font.family": "sans-serif",
    "svg.fonttype": "none",
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "legend.frameon": False,
}


@dataclass(frozen=True)
class Drawing:
    """A figure.

    Attributes
    ----------
    name, caption
        Its file's stem, and what it shows.
    figure
        As matplotlib drew it, 72 dots an inch.
    points
        What to say near which place: x and y in the SVG's units, and a text.
    """

    name: str
    caption: str
    figure: Figure
    points: list[tuple[float, float, str]]

    def svg(self) -> str:
        """Write the figure as SVG, text as text; equal figures give equal bytes."""
        file = io.StringIO()
        with rc_context({**STYLE, "svg.hashsalt": self.name}), warnings.catch_warnings():
            # A system may be called in a script that matplotlib's font lacks.
            warnings.simplefilter("ignore")
            metadata = {"Date": None, "Creator": None}
            self.figure.savefig(file, format="svg", transparent=True, metadata=metadata)
        return file.getvalue()

    def inline_svg(self) -> str:
        """Write it for a page: colours are variables that the page sets, and groups need no ids."""
        svg = self.svg()
        svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
        svg = re.sub(r'<g id="[^"]*"', "<g", svg)
        svg = re.sub(r'<svg ([^>]*?)width="[^"]*"', r"<svg \1", svg, count=1)
        svg = re.sub(r'<svg ([^>]*?)height="[^"]*"', r'<svg role="img" \1', svg, count=1)
        names = {INK: "--ink", GRID: "--grid"} | {color: f"--s{n}" for n, color in enumerate(SERIES)}
        for color, name in names.items():
            svg = svg.replace(color, f"var({name})")
        return svg

    def points_json(self) -> str:
        """Write the points so that they can stand in a script element."""
        rounded = [(round(x, 1), round(y, 1), text) for x, y, text in self.points]
        return json.dumps(rounded, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")

    def save(self, folder: Path) -> list[Path]:
        """Write NAME.svg and NAME.png into a folder that exists."""
        svg, png = folder / f"{self.name}.svg", folder / f"{self.name}.png"
        svg.write_text(self.svg(), encoding="utf-8")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.figure.savefig(png, dpi=200, facecolor="white", metadata={"Software": None})
        return [svg, png]


def draw_all(comparison: Comparison, curves: dict[str, NDArray[np.float64]] | None = None) -> list[Drawing]:
    """Draw what a report shows: scores by language, differences by query, and recall by depth.

    Parameters
    ----------
    comparison
        What was found.
    curves
        Recall at 1, 2, ... by system, if passages were judged.
    """
    with rc_context(STYLE):
        drawings = [_scores(comparison, metric) for metric in comparison.results]
        metric = next(iter(comparison.results))
        others = [system.name for system in comparison.systems if system.name != comparison.baseline]
        if comparison.baseline is not None:
            drawings += [
                _differences(comparison, metric, name, number) for number, name in enumerate(others[:3])
            ]
        if curves:
            drawings.append(_recall(comparison, curves))
        return drawings


def _colors(comparison: Comparison) -> dict[str, str]:
    first = comparison.baseline or ""
    names = [system.name for system in comparison.systems]
    ordered = [first, *(name for name in names if name != first)] if comparison.baseline else ["", *names]
    return {name: SERIES[min(place, MOST_SYSTEMS - 1)] for place, name in enumerate(ordered)}


def new_axes(width: float, height: float) -> tuple[Figure, Axes]:
    """Begin a figure of a size in inches."""
    figure = Figure(figsize=(width, height), dpi=72, layout="constrained")
    axes = figure.add_subplot()
    return figure, axes


def _place(axes: Axes, x: float, y: float) -> tuple[float, float]:
    """Where a value lies in the SVG, whose y axis points down."""
    right, up = axes.transData.transform((x, y))
    return float(right), float(axes.figure.bbox.height - up)


def _interval(comparison: Comparison, metric: str, name: str, row: str) -> Interval:
    scores = comparison.results[metric][name]
    return scores.mean.interval if row == MEAN else score_of(scores, row).interval


def _scores(comparison: Comparison, metric: str) -> Drawing:
    """Bars for each language and system; with many systems, their last rows alone, one below the other."""
    names = [system.name for system in comparison.systems]
    results = comparison.results[metric]
    rows = row_names(results[names[0]])
    caption = f"{metric} with 95 % bootstrap intervals"
    figure_name = f"scores-{re.sub(r'[^a-z0-9]+', '-', metric)}"
    if len(names) > MOST_SYSTEMS:
        row = MEAN if MEAN in rows else rows[0]
        return _many(comparison, metric, names, row, figure_name, f"{caption}, {row} of languages")
    figure, axes = new_axes(max(6.4, 0.22 * len(rows) * len(names) + 1.6), 3.2)
    width = 0.82 / len(names)
    tips = []
    for number, name in enumerate(names):
        places = np.arange(len(rows)) + (number - (len(names) - 1) / 2) * width
        means = np.array([mean_of(results[name], row) for row in rows])
        ends = np.array([_interval(comparison, metric, name, row) for row in rows]).T
        errors = np.maximum(np.array([means - ends[0], ends[1] - means]), 0)
        color = _colors(comparison)[name]
        axes.bar(places, means, width * 0.9, color=color, label=name)
        axes.errorbar(places, means, errors, fmt="none", ecolor=INK, elinewidth=0.8, capsize=1.5)
        for x, y, row, low, high in zip(places, means, rows, *ends, strict=True):
            tips.append((x, y, f"{name}, {row}: {y:.3f} [{low:.3f}, {high:.3f}]"))
    axes.set_xticks(range(len(rows)), rows)
    axes.tick_params(axis="x", length=0)
    axes.set_ylabel(metric)
    axes.set_ylim(bottom=0)
    axes.grid(axis="y", color=GRID, linewidth=0.6)
    figure.legend(loc="outside upper left", ncols=min(len(names), 4), fontsize=9)
    return finish(figure_name, caption, figure, axes, tips)


def _many(
    comparison: Comparison, metric: str, names: Sequence[str], row: str, figure_name: str, caption: str
) -> Drawing:
    figure, axes = new_axes(6.4, 0.6 + 0.22 * len(names))
    tips = []
    for place, name in enumerate(reversed(names)):
        mean = mean_of(comparison.results[metric][name], row)
        low, high = _interval(comparison, metric, name, row)
        color = SERIES[0] if name == comparison.baseline else SERIES[1]
        axes.plot([low, high], [place, place], color=color, linewidth=1.6)
        axes.plot([mean], [place], "o", color=color, markersize=4)
        tips.append((mean, place, f"{name}, {row}: {mean:.3f} [{low:.3f}, {high:.3f}]"))
    axes.set_yticks(range(len(names)), [name[:40] for name in reversed(names)])
    axes.set_xlabel(metric)
    axes.grid(axis="x", color=GRID, linewidth=0.6)
    return finish(figure_name, caption, figure, axes, tips)


def _differences(comparison: Comparison, metric: str, name: str, number: int) -> Drawing:
    """One bar a query, from what the system gains most to what it loses most."""
    scores = comparison.by_query[metric]
    differences = scores.systems[name] - scores.systems[comparison.baseline or ""]
    order = np.argsort(-differences, kind="stable")
    ranked = differences[order]
    figure, axes = new_axes(6.4, 2.6)
    places, heights = _steps(ranked)
    for color, chosen in ((GAIN, np.maximum(heights, 0)), (LOSS, np.minimum(heights, 0))):
        axes.fill_between(places, chosen, step="post", color=color, linewidth=0)
    axes.axhline(0, color=INK, linewidth=0.8)
    against: Score = comparison.results[metric][name].overall
    if against.against is not None:
        counts = against.against
        axes.set_xlabel(f"queries: {counts.wins:,} gained, {counts.ties:,} tied, {counts.losses:,} lost")
    axes.set_ylabel(f"difference in {metric}")
    axes.set_xlim(0, len(ranked))
    axes.grid(axis="y", color=GRID, linewidth=0.6)
    step = max(1, len(order) // _CHOSEN)
    tips = [
        (place + 0.5, float(ranked[place]), f"{scores.qids[order[place]]}: {ranked[place]:+.3f}")
        for place in range(0, len(order), step)
    ]
    caption = f"Differences in {metric} by query, {name} minus {comparison.baseline}"
    return finish(f"differences-{number + 1}", caption, figure, axes, tips)


def _steps(ranked: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Reduce descending values to where a step begins, in heights that can be told apart, and the end."""
    unit = max(float(np.abs(ranked).max()), 1e-9) / 250
    heights = np.round(ranked / unit) * unit
    begins = np.flatnonzero(np.diff(heights, prepend=np.inf))
    return np.append(begins, len(ranked)), np.append(heights[begins], heights[-1])


def _recall(comparison: Comparison, curves: dict[str, NDArray[np.float64]]) -> Drawing:
    figure, axes = new_axes(6.4, 3.0)
    tips = []
    for name, recall in curves.items():
        depth = np.arange(1, len(recall) + 1)
        axes.plot(depth, recall, color=_colors(comparison)[name], linewidth=1.8, label=name[:40])
        chosen = [k for k in (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000) if k <= len(recall)]
        tips += [(k, recall[k - 1], f"{name}: recall@{k} = {recall[k - 1]:.3f}") for k in chosen]
    axes.set_xscale("log")
    ticks = [k for k in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if k <= max(map(len, curves.values()))]
    axes.set_xticks(ticks, [str(k) for k in ticks])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("k")
    axes.set_ylabel("recall@k")
    axes.set_ylim(bottom=0)
    axes.grid(color=GRID, linewidth=0.6)
    if len(curves) <= MOST_SYSTEMS:
        figure.legend(loc="outside upper left", ncols=min(len(curves), 4), fontsize=9)
    return finish("recall", "Recall by depth, over all queries", figure, axes, tips)


def finish(
    name: str, caption: str, figure: Figure, axes: Axes, tips: Sequence[tuple[float, float, str]]
) -> Drawing:
    """Lay a figure out, and turn the tips' places from the axes' units into the SVG's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        figure.draw_without_rendering()
    return Drawing(name, caption, figure, [(*_place(axes, x, y), text) for x, y, text in tips])
