"""The report of a reproduction with curves: Markdown with a figure, and JSON."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from qgdr_pyserini.evaluate.reports.figures import GRID, MOST_SYSTEMS, SERIES, STYLE, Drawing
from qgdr_pyserini.evaluate.reports.report import JSON, MARKDOWN
from qgdr_pyserini.evaluate.reports.tables import count
from qgdr_pyserini.evaluate.reproduce.curves import Curve, Panel, Point, score_curves
from qgdr_pyserini.evaluate.reproduce.reproduction import CurveSettings, Reproduction
from qgdr_pyserini.evaluate.significance import CONFIDENCE, RESAMPLES
from qgdr_pyserini.files import atomic_text

_FORMAT = "qgdr-curves/1"

_MARKERS = "osD^vPX*"


def write_curve_report(reproduction: Reproduction, curves: CurveSettings, folder: Path) -> list[Path]:
    """Score the kept runs in a folder and write ``report.md``, ``report.json`` and the figure beside them.

    Parameters
    ----------
    reproduction, curves
        What ``reproduce.toml`` says.
    folder
        Where it lies.

    Returns
    -------
    list of Path
        The files.
    """
    places = [float(value) for value in reproduction.vary[curves.over]]
    panels = score_curves(reproduction, curves, folder)
    drawing = draw_curves(curves, places, panels)
    with atomic_text(folder / MARKDOWN) as file:
        file.write("\n".join(_markdown(reproduction, curves, panels, f"{drawing.name}.png")) + "\n")
    with atomic_text(folder / JSON) as file:
        json.dump(_object(reproduction, curves, panels), file, indent=1)
        file.write("\n")
    return [folder / MARKDOWN, folder / JSON, *drawing.save(folder)]


def _markdown(
    reproduction: Reproduction, curves: CurveSettings, panels: Sequence[Panel], picture: str
) -> Iterator[str]:
    yield from (f"# {reproduction.about}", "", f"![{curves.metric} by {curves.axis}]({picture})", "")
    yield from (_explanation(reproduction, curves), "")
    for panel in panels:
        yield f"## {panel.title}"
        yield ""
        if reproduction.found_only:
            found = f"{panel.queries:,} of {panel.judged:,} queries ({panel.queries / panel.judged:.1%})"
            asked = count(panel.asked, "question", "questions")
            yield f"{found} have a relevant passage there; they ask {asked}."
            yield ""
        yield from _table(reproduction.vary[curves.over], curves, panel)


def _explanation(reproduction: Reproduction, curves: CurveSettings) -> str:
    text = (
        f"{curves.metric}; bars, and brackets, are {CONFIDENCE:.0%} bootstrap intervals over questions, each"
        " drawn with its translations"
    )
    if curves.spread:
        repeats = reproduction.vary[curves.spread]
        text += (
            f"; mean and standard deviation of {len(repeats)} runs ({curves.spread} {', '.join(repeats)})"
            if len(repeats) > 1
            else f"; one run ({curves.spread} {repeats[0]})"
        )
    if reproduction.found_only:
        text += (
            ". Only queries with a relevant passage among the candidates are scored: what was not retrieved, "
            "no re-ranking puts first"
        )
    return f"{text}. Every figure is computed from the runs in this folder."


def _table(places: Sequence[str], curves: CurveSettings, panel: Panel) -> Iterator[str]:
    yield f"| {curves.axis} | {' | '.join(places)} |"
    yield f"|---{'|---' * len(places)}|"
    for curve in panel.curves:
        cells = [_cell(curve.at(place)) for place in range(len(places))]
        yield f"| {curve.name} | {' | '.join(cells)} |"
    for other in panel.curves[1:]:
        cells = [_difference(panel, other, place) for place in range(len(places))]
        yield f"| {panel.curves[0].name} − {other.name} | {' | '.join(cells)} |"
    yield ""


def _cell(point: Point) -> str:
    spread = "" if point.deviation is None else f" ± {point.deviation:.3f}"
    low, high = point.interval
    return f"{point.value:.3f}{spread} [{low:.3f}, {high:.3f}]"


def _difference(panel: Panel, other: Curve, place: int) -> str:
    value, (low, high) = panel.difference(other, place)
    return f"{value:+.3f} [{low:+.3f}, {high:+.3f}]"


def _object(reproduction: Reproduction, curves: CurveSettings, panels: Sequence[Panel]) -> dict[str, Any]:
    places = reproduction.vary[curves.over]
    return {
        "format": _FORMAT,
        "metric": curves.metric,
        "over": {curves.over: places},
        "spread": {curves.spread: reproduction.vary[curves.spread]} if curves.spread else {},
        "intervals": {"method": "percentile bootstrap", "confidence": CONFIDENCE, "resamples": RESAMPLES},
        "panels": [
            {
                "title": panel.title,
                "queries": panel.queries,
                "questions": panel.asked,
                "judged": panel.judged,
                "curves": {curve.name: [_numbers(point) for point in curve.points] for curve in panel.curves},
                "differences_from_first": {
                    other.name: [_gap(panel, other, place) for place in range(len(places))]
                    for other in panel.curves[1:]
                },
            }
            for panel in panels
        ],
    }


def _numbers(point: Point) -> dict[str, Any]:
    return {
        "score": round(point.value, 6),
        "interval": [round(end, 6) for end in point.interval],
        "repeats": [round(value, 6) for value in point.repeats],
    }


def _gap(panel: Panel, other: Curve, place: int) -> dict[str, Any]:
    value, interval = panel.difference(other, place)
    return {"difference": round(value, 6), "interval": [round(end, 6) for end in interval]}


def draw_curves(settings: CurveSettings, places: Sequence[float], panels: Sequence[Panel]) -> Drawing:
    """Draw all panels over one scale.

    Parameters
    ----------
    settings
        Labels.
    places
        Values along the horizontal axis, which is logarithmic.
    panels
        What to draw; bars are bootstrap intervals over queries, small points the single repeats.
    """
    with rc_context(STYLE), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        figure = Figure(figsize=(4.2 * len(panels), 3.6), dpi=72, layout="constrained")
        fields = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for field, panel in zip(fields, panels, strict=True):
            _draw(field, panel, places)
            field.set_xlabel(settings.axis)
        fields[0].set_ylabel(settings.metric)
        handles, names = fields[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", ncols=min(len(names), 4))
        figure.draw_without_rendering()
    return Drawing("curves", f"{settings.metric} by {settings.axis}", figure, [])


def _draw(field: Axes, panel: Panel, places: Sequence[float]) -> None:
    for number, curve in enumerate(panel.curves):
        # The first of the colours is that of what is compared with: the level lines.
        color = SERIES[0] if curve.level else SERIES[1 + number % (MOST_SYSTEMS - 1)]
        if curve.level:
            field.axhline(curve.points[0].value, color=color, linestyle="--", linewidth=1.2, label=curve.name)
        else:
            _line(field, curve, places, color, _MARKERS[number % len(_MARKERS)])
    field.set_title(f"{panel.title}\n{panel.queries:,} of {panel.judged:,} queries", fontsize=9)
    field.set_xscale("log")
    field.set_xticks(places, [f"{place:g}" for place in places])
    field.xaxis.set_minor_locator(NullLocator())
    field.set_ylim(0, 1.03)
    field.grid(axis="y", color=GRID, linewidth=0.6)


def _line(field: Axes, curve: Curve, places: Sequence[float], color: str, marker: str) -> None:
    values = [point.value for point in curve.points]
    ends = [point.interval for point in curve.points]
    errors = [
        [max(value - end.low, 0) for value, end in zip(values, ends, strict=True)],
        [max(end.high - value, 0) for value, end in zip(values, ends, strict=True)],
    ]
    field.errorbar(
        places, values, errors, color=color, marker=marker, linewidth=1.6, markersize=5, capsize=2,
        elinewidth=0.8, label=curve.name,
    )  # fmt: skip
    for place, point in zip(places, curve.points, strict=True):
        if len(point.repeats) > 1:
            field.plot([place] * len(point.repeats), point.repeats, ".", color=color, markersize=3, alpha=0.6)
