"""The report of a reproduction with curves: Markdown with a figure, and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from qgdr_pyserini.evaluate.bootstrap import CONFIDENCE, RESAMPLES
from qgdr_pyserini.evaluate.reports.report import JSON, MARKDOWN
from qgdr_pyserini.evaluate.reports.tables import count
from qgdr_pyserini.evaluate.reproduce.curve_figure import draw_curves
from qgdr_pyserini.evaluate.reproduce.curve_settings import CurveSettings
from qgdr_pyserini.evaluate.reproduce.curves import Curve, Panel, Point, score_curves
from qgdr_pyserini.evaluate.reproduce.reproduction import Reproduction
from qgdr_pyserini.files import atomic_text

_FORMAT = "qgdr-curves/1"


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
