"""What a report's tables and notes say, whatever they are written in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from qgdr_pyserini.evaluate.compare import ALL_QUERIES, Comparison, Score, SystemScores
from qgdr_pyserini.evaluate.languages import UNKNOWN

MEAN = "mean"
LEGEND = "↑ better, ↓ worse than the baseline: * p < 0.05, ** p < 0.01 (paired t-test, Holm-corrected)"

Row = tuple[str, ...]


def score_rows(comparison: Comparison, metric: str, systems: Sequence[str]) -> list[Row]:
    """Lay out one metric's scores: a heading, then languages as rows and systems as columns.

    Parameters
    ----------
    comparison
        What to show.
    metric
        One of its metrics.
    systems
        Names of the systems to show, in this order.

    Returns
    -------
    list of tuple of str
        Each row: language, number of queries, one score with its mark for every system.
    """
    results = comparison.results[metric]
    heads = (f"{name} (baseline)" if name == comparison.baseline else name for name in systems)
    rows: list[Row] = [("language", "queries", *heads)]
    for row, queries in _row_names(comparison):
        rows.append((row, queries, *(_score_text(results[name], row) for name in systems)))
    return rows


def difference_rows(comparison: Comparison, metric: str, systems: Sequence[str]) -> list[Row]:
    """Lay out one metric's differences from the baseline as `score_rows` lays out scores.

    Each cell is a difference and its corrected p-value. The mean of the languages is not tested and has no
    row.
    """
    results = comparison.results[metric]
    rows: list[Row] = [("language", *systems)]
    for row, _ in _row_names(comparison):
        if row != MEAN:
            rows.append((row, *(_difference_text(_score(results[name], row)) for name in systems)))
    return rows


def notes(comparison: Comparison) -> list[str]:
    """Say what a reader has to know beside the scores: queries missing, left out or unanswerable."""
    return [*_coverage_notes(comparison), *_query_notes(comparison)]


def count(number: int, one: str, many: str) -> str:
    """Write a number of things.

    Examples
    --------
    >>> count(1, "query", "queries"), count(7140, "query", "queries")
    ('1 query', '7,140 queries')
    """
    return f"{number:,} {one if number == 1 else many}"


def _row_names(comparison: Comparison) -> Iterator[tuple[str, str]]:
    """Yield rows with their numbers of queries; one language needs no rows that sum up."""
    yield from ((name, str(queries)) for name, queries in comparison.queries.items())
    if len(comparison.queries) > 1:
        yield MEAN, ""
        yield ALL_QUERIES, str(sum(comparison.queries.values()))


def _score(scores: SystemScores, row: str) -> Score:
    return scores.overall if row == ALL_QUERIES else scores.languages[row]


def _score_text(scores: SystemScores, row: str) -> str:
    if row == MEAN:
        return f"{scores.mean:.3f}"
    score = _score(scores, row)
    return f"{score.mean:.3f} {_mark(score)}".rstrip()


def _mark(score: Score) -> str:
    if score.p_holm is None or score.difference is None or score.p_holm >= 0.05:
        return ""
    return ("↑" if score.difference > 0 else "↓") + ("**" if score.p_holm < 0.01 else "*")


def _difference_text(score: Score) -> str:
    if score.p_holm is None or score.difference is None:
        return ""
    p_value = "p < 0.001" if score.p_holm < 0.001 else f"p = {score.p_holm:.3f}"
    return f"{score.difference:+.3f} ({p_value})"


def _coverage_notes(comparison: Comparison) -> Iterator[str]:
    for system in comparison.systems:
        if system.missing:
            yield f"{system.name} has no hits for {_some(system.missing, 'judged ')}; they count as zero."
        if system.unjudged:
            yield f"{system.name} has hits for {_some(system.unjudged)} without judgements, left out."


def _query_notes(comparison: Comparison) -> Iterator[str]:
    if comparison.without_relevant:
        queries = _some(comparison.without_relevant)
        yield f"No passage is judged relevant to {queries}, which count as zero for every system."
    if UNKNOWN in comparison.queries:
        queries = count(comparison.queries[UNKNOWN], "query", "queries")
        yield f"The language of {queries} is not known: row {UNKNOWN!r}, not part of the mean."


def _some(qids: Sequence[str], kind: str = "") -> str:
    """Write how many queries there are, and the first one."""
    return f"{count(len(qids), f'{kind}query', f'{kind}queries')} (such as {qids[0]})"
