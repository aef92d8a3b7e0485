"""A comparison as one HTML page that needs no other file and no network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from qgdr_pyserini.evaluate.passage_languages import PassageLanguages
from qgdr_pyserini.evaluate.per_query import Change
from qgdr_pyserini.evaluate.reports.figures import SERIES, Drawing
from qgdr_pyserini.evaluate.reports.language_tables import TITLE, fairness_note, fairness_rows
from qgdr_pyserini.evaluate.reports.tables import (
    LEGEND,
    MEAN,
    count,
    difference_rows,
    how_tested,
    mark,
    mean_of,
    notes,
    row_names,
    score_of,
    score_rows,
)
from qgdr_pyserini.evaluate.results import ALL_QUERIES, Comparison

DARK_SERIES = ("#8a97a5", "#5aa9ff", "#ff9a5c", "#4fd1c0", "#b79bff", "#f2c14e", "#ff8fc0", "#a3d65c")
"""`SERIES` on a dark page."""


@dataclass(frozen=True)
class Changes:
    """The queries on which one system gained and lost most under a metric."""

    name: str
    metric: str
    gains: list[Change]
    losses: list[Change]


def to_html(
    comparison: Comparison,
    drawings: Sequence[Drawing],
    changes: Sequence[Changes] = (),
    heat_maps: Sequence[Drawing] = (),
) -> str:
    """Write the page.

    Parameters
    ----------
    comparison
        What was found.
    drawings
        Its figures, first one for each metric.
    changes
        Queries to show.
    heat_maps
        Figures of the languages of passages.

    Returns
    -------
    str
        The document; equal input gives equal bytes.
    """
    environment = Environment(
        loader=PackageLoader("qgdr_pyserini.evaluate.reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    count_of_metrics = len(comparison.results)
    return environment.get_template("report.html.j2").render(
        comparison=comparison,
        summary=list(_summary(comparison)),
        queries=count(sum(comparison.queries.values()), "query", "queries"),
        gold=[file for file in (comparison.qrels, comparison.answers) if file],
        legend=LEGEND,
        method=how_tested(comparison),
        notes=notes(comparison),
        metrics=[
            _section(comparison, metric, drawing)
            for metric, drawing in zip(comparison.results, drawings, strict=False)
        ],
        drawings=drawings[count_of_metrics:],
        changes=changes,
        languages=_languages(comparison.passages, heat_maps),
        figure=_figure,
        series=SERIES,
        dark_series=DARK_SERIES,
    )


def _languages(found: PassageLanguages | None, heat_maps: Sequence[Drawing]) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "title": TITLE,
        "note": fairness_note(found),
        "rows": fairness_rows(found),
        "mean": MEAN,
        "heat_maps": heat_maps,
    }


def _figure(drawing: Drawing, kind: str = "") -> Markup:
    return Markup(
        '<figure{kind}><div class="scroll">{svg}</div><figcaption>{caption}</figcaption>'
        '<script type="application/json">{points}</script></figure>\n'
    ).format(
        kind=Markup(' class="{}"').format(kind) if kind else "",
        svg=Markup(drawing.inline_svg()),
        caption=drawing.caption,
        points=Markup(drawing.points_json()),
    )


def _summary(comparison: Comparison) -> Iterator[str]:
    """Say for each system but the baseline what came out under the first metric."""
    metric, results = next(iter(comparison.results.items()))
    for name, scores in results.items():
        mean = scores.mean
        over = f" on average over {len(mean.languages)} languages" if len(scores.languages) > 1 else ""
        if mean.difference is None or mean.difference_interval is None:
            if comparison.baseline is None:
                yield f"{name} reaches {mean.value:.3f} {metric}{over}."
            continue
        low, high = mean.difference_interval
        yield (
            f"{name} reaches {mean.value:.3f} {metric}{over}, {mean.difference:+.3f} against"
            f" {comparison.baseline} (95 % interval {low:+.3f} to {high:+.3f})."
        )


def _section(comparison: Comparison, metric: str, drawing: Drawing) -> dict[str, Any]:
    names = [system.name for system in comparison.systems]
    others = [name for name in names if name != comparison.baseline]
    results = comparison.results[metric]
    rows = row_names(results[names[0]])
    head, *body = score_rows(comparison, metric, names)
    return {
        "name": metric,
        "drawing": drawing,
        "scores": [
            head,
            *(_row(comparison, metric, row, line) for row, line in zip(rows, body, strict=True)),
        ],
        "differences": difference_rows(comparison, metric, others) if comparison.baseline else [],
    }


def _row(comparison: Comparison, metric: str, row: str, line: Sequence[str]) -> dict[str, Any]:
    results = comparison.results[metric]
    best = max(f"{mean_of(scores, row):.3f}" for scores in results.values())
    cells = [{"text": text, "kind": "", "mark": ""} for text in line[:2]]
    for scores in results.values():
        sign = "" if row == MEAN else mark(score_of(scores, row))
        text = f"{mean_of(scores, row):.3f}"
        cells.append(
            {
                "text": text,
                "kind": "best" if text == best and len(results) > 1 else "",
                "mark": sign,
                "mark_kind": "good" if "↑" in sign else "bad",
            }
        )
    return {"sums": row in (MEAN, ALL_QUERIES), "cells": cells}
