"""A comparison as tables on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from qgdr_pyserini.evaluate.reports.language_tables import TITLE, fairness_rows
from qgdr_pyserini.evaluate.reports.tables import LEGEND, Row, notes, score_rows
from qgdr_pyserini.evaluate.results import Comparison

_UNLIMITED = 10_000
_LONG_WORD = 16


def print_comparison(comparison: Comparison, console: Console | None = None) -> None:
    """Print a table for each metric, then what the marks mean and what is to be noted.

    Parameters
    ----------
    comparison
        What to print.
    console
        Where to; standard output if None. A terminal's width is kept, by more tables with fewer systems
        each; a file or pipe gets every table whole.
    """
    console = console or Console(highlight=False)
    if not console.is_terminal:
        console.width = _UNLIMITED
    for metric in comparison.results:
        for table in _fitting_tables(comparison, metric, console):
            console.print(table)
            console.print()
    if comparison.passages is not None:
        console.print(_language_table(fairness_rows(comparison.passages)))
        console.print()
    lines = [LEGEND + "."] if comparison.baseline else []
    lines += [f"Warning: {warning}" for warning in comparison.warnings]
    for line in [*lines, *(f"Note: {note}" for note in notes(comparison))]:
        console.print(Text(line))


def _fitting_tables(comparison: Comparison, metric: str, console: Console) -> Sequence[Table]:
    """Show all systems side by side if they fit, else in as few tables as do."""
    names = [system.name for system in comparison.systems]
    tables: list[Table] = []
    for size in range(len(names), 0, -1):
        groups = [names[start : start + size] for start in range(0, len(names), size)]
        tables = [_table(metric, score_rows(comparison, metric, group)) for group in groups]
        if all(_least_width(table, console) <= console.width for table in tables):
            break
    return tables


def _least_width(table: Table, console: Console) -> int:
    # Measured with the console's own width, no table is ever wider.
    return Measurement.get(console, console.options.update(max_width=_UNLIMITED), table).minimum


def _table(metric: str, rows: Sequence[Row]) -> Table:
    head, *body = rows
    title = Text(metric, style="bold")
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False)
    table.add_column(head[0], no_wrap=True)
    table.add_column(head[1], no_wrap=True, justify="right")
    for number, name in enumerate(head[2:], 2):
        # Names may be folded, scores never; left, scores align, with a mark behind them or not.
        least = max(len(row[number]) for row in body)
        longest_word = max(len(word) for word in name.split())
        width = max(least, min(longest_word, _LONG_WORD))
        table.add_column(Text(name, overflow="fold"), min_width=width)
    for row in body:
        table.add_row(*map(Text, row))
    return table


def _language_table(rows: Sequence[Row]) -> Table:
    head, *body = rows
    title = Text(TITLE, style="bold")
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False)
    for name in head:
        table.add_column(Text(name, overflow="fold"))
    for row in body:
        table.add_row(*map(Text, row))
    return table


def working(message: str) -> AbstractContextManager[object]:
    """Show on a terminal's standard error that something takes a while; elsewhere show nothing."""
    console = Console(stderr=True)
    return console.status(message) if console.is_terminal else nullcontext()
