"""The figure of a score as one value changes: panels side by side, a line for each curve."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from qgdr_pyserini.evaluate.reports.figures import GRID, MOST_SYSTEMS, SERIES, STYLE, Drawing
from qgdr_pyserini.evaluate.reproduce.curve_settings import CurveSettings
from qgdr_pyserini.evaluate.reproduce.curves import Curve, Panel

_MARKERS = "osD^vPX*"


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
