"""A comparison as GitHub Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from qgdr_pyserini.evaluate.passage_languages import PassageLanguages
from qgdr_pyserini.evaluate.reports.language_tables import (
    TITLE,
    fairness_note,
    fairness_rows,
    matrices,
    matrix_rows,
)
from qgdr_pyserini.evaluate.reports.tables import (
    LEGEND,
    Row,
    count,
    difference_rows,
    how_tested,
    notes,
    score_rows,
)
from qgdr_pyserini.evaluate.results import Comparison

# Asterisks and underscores in front of a space or the end open nothing: the marks stay as they are.
_SPECIAL = re.compile(r"[\\|`\[]|<(?=\S)|[*_](?=[*_]*[^\s*_])")

Layout = Callable[[Comparison, str, Sequence[str]], list[Row]]


def to_markdown(comparison: Comparison) -> str:
    """Write what was compared, the scores, the differences from the baseline, and notes.

    Parameters
    ----------
    comparison
        What to write.

    Returns
    -------
    str
        The document, ending in a line break.
    """
    names = [system.name for system in comparison.systems]
    lines = [
        "# Comparison of retrieval runs",
        "",
        *_setting(comparison),
        "",
        *(line for warning in comparison.warnings for line in (f"> **Warning:** {_escape(warning)}", "")),
        *_tables("##", comparison, score_rows, names),
        *_languages(comparison.passages),
        *_differences(comparison, names),
        *_notes(comparison),
    ]
    return "\n".join(lines).rstrip("\n") + "\n"


def _setting(comparison: Comparison) -> Iterator[str]:
    queries = count(sum(comparison.queries.values()), "query", "queries")
    gold = {"judgements": comparison.qrels, "answers": comparison.answers}
    files = ", ".join(f"{kind} `{file}`" for kind, file in gold.items() if file)
    yield f"- Measured on: {queries}; {files}"
    for system in comparison.systems:
        yield f"- {_escape(system.name)}: {', '.join(f'`{file}`' for file in system.files)}"
    if comparison.baseline is not None:
        yield f"- Baseline: {_escape(comparison.baseline)}. {_escape(LEGEND)}."


def _differences(comparison: Comparison, names: Sequence[str]) -> Iterator[str]:
    if comparison.baseline is None:
        return
    yield f"## Differences from {_escape(comparison.baseline)}"
    yield ""
    yield _escape(how_tested(comparison))
    yield ""
    others = [name for name in names if name != comparison.baseline]
    yield from _tables("###", comparison, difference_rows, others)


def _languages(found: PassageLanguages | None) -> Iterator[str]:
    if found is None:
        return
    yield from (f"## {TITLE}", "", _escape(fairness_note(found)), "", *_table(fairness_rows(found)), "")
    for _, _, caption, matrix in matrices(found):
        yield from (f"{_escape(caption)}:", "", *_table(matrix_rows(matrix, found.pool)), "")


def _notes(comparison: Comparison) -> Iterator[str]:
    if items := notes(comparison):
        yield from ("## Notes", "", *(f"- {_escape(item)}" for item in items))


def _tables(level: str, comparison: Comparison, layout: Layout, names: Sequence[str]) -> Iterator[str]:
    """Write a headed table for each metric."""
    for metric in comparison.results:
        yield from (f"{level} {metric}", "", *_table(layout(comparison, metric, names)), "")


def _table(rows: Sequence[Row]) -> Iterator[str]:
    head, *body = ([_escape(cell) for cell in row] for row in rows)
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    yield from (f"| {' | '.join(row)} |" for row in body)


def _escape(text: str) -> str:
    """Keep signs that Markdown would take for its own."""
    return _SPECIAL.sub(r"\\\g<0>", text)
