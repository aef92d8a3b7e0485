"""The report of a reproduction with a table: Markdown and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from qgdr_pyserini.evaluate.bootstrap import CONFIDENCE, RESAMPLES
from qgdr_pyserini.evaluate.reports.report import JSON, MARKDOWN
from qgdr_pyserini.evaluate.reports.tables import count, mark_difference, p_text
from qgdr_pyserini.evaluate.reproduce.reproduction import MEAN, Reproduction
from qgdr_pyserini.evaluate.reproduce.table_scores import Cell, Table, score_tables
from qgdr_pyserini.evaluate.reproduce.table_settings import TableSettings
from qgdr_pyserini.files import atomic_text

_FORMAT = "qgdr-table/1"


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
