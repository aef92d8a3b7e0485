"""What a report's tables and notes say, whatever they are written in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from qgdr_pyserini.evaluate.languages import UNKNOWN
from qgdr_pyserini.evaluate.results import ALL_QUERIES, Comparison, Difference, Score, SystemScores
from qgdr_pyserini.evaluate.significance import CONFIDENCE, RANDOMISATIONS, RESAMPLES, Interval

MEAN = "mean"
LEGEND = "↑ better, ↓ worse than the baseline: * p < 0.05, ** p < 0.01 (paired t-test, Holm-corrected)"

DIFFERENCE_HEAD = (
    "language",
    "system",
    "difference [95 % interval]",
    "effect size",
    "won / tied / lost",
    "p, t-test",
    "p, randomisation",
)

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
    for row in row_names(results[systems[0]]):
        queries = _queries(results[systems[0]], row)
        rows.append((row, queries, *(_score_text(results[name], row) for name in systems)))
    return rows


def difference_rows(comparison: Comparison, metric: str, systems: Sequence[str]) -> list[Row]:
    """Lay out one metric's differences from the baseline: a heading, then a row for each language and system.

    Each row: language, system, difference with its interval, effect size, queries won, tied and lost, and the
    corrected p-values of both tests. The mean of the languages has an interval and no test.
    """
    results = comparison.results[metric]
    rows: list[Row] = [DIFFERENCE_HEAD]
    for row in row_names(results[systems[0]]):
        for name in systems:
            rows.append((row, name, *_difference_cells(results[name], row)))
    return rows


def how_tested(comparison: Comparison) -> str:
    """Say in prose how differences were tested and intervals made."""
    counts = " or ".join(map(str, sorted(set(comparison.tests.values()))))
    return (
        "Paired by query. Both tests are two-sided: Student's t-test, which the marks follow, and Fisher's"
        f" randomisation test with {RANDOMISATIONS:,} random swaps. Each is corrected after Holm for the"
        f" {counts} comparisons made under a metric: every system but the baseline, in every language and,"
        f" with several, over all queries, where translations of a question, whose ids differ by the language"
        f" alone, count as one. Intervals are {CONFIDENCE:.0%} percentile bootstrap intervals from"
        f" {RESAMPLES:,} resamples of the questions, within each language for the mean of"
        f" {_chosen(comparison) or 'the languages'}. The effect size is the mean difference in standard"
        " deviations of the differences."
    )


def notes(comparison: Comparison) -> list[str]:
    """Say what a reader has to know beside the scores: queries missing, left out or unanswerable."""
    return [
        *_coverage_notes(comparison),
        *_query_notes(comparison),
        *_mean_notes(comparison),
        *comparison.remarks,
    ]


def count(number: int, one: str, many: str) -> str:
    """Write a number of things.

    Examples
    --------
    >>> count(1, "query", "queries"), count(7140, "query", "queries")
    ('1 query', '7,140 queries')
    """
    return f"{number:,} {one if number == 1 else many}"


def row_names(scores: SystemScores) -> list[str]:
    """List a metric's rows: its languages, then, where there are several, `MEAN` and `ALL_QUERIES`."""
    languages = list(scores.languages)
    return [*languages, MEAN, ALL_QUERIES] if len(languages) > 1 else languages


def score_of(scores: SystemScores, row: str) -> Score:
    """Find the score in any row but `MEAN`."""
    return scores.overall if row == ALL_QUERIES else scores.languages[row]


def mean_of(scores: SystemScores, row: str) -> float:
    """Find the mean score in any row."""
    return scores.mean.value if row == MEAN else score_of(scores, row).mean


def mark(score: Score) -> str:
    """Mark a score by its difference from the baseline, as `mark_difference` does."""
    return mark_difference(score.against)


def mark_difference(against: Difference | None) -> str:
    """Mark a significant difference from the baseline, as `LEGEND` explains.

    Whether it is, Student's corrected test tells.
    """
    if against is None or against.p_holm >= 0.05:
        return ""
    return ("↑" if against.mean > 0 else "↓") + ("**" if against.p_holm < 0.01 else "*")


def p_text(p_value: float) -> str:
    """Write a p-value.

    Examples
    --------
    >>> p_text(0.04567), p_text(1e-9)
    ('0.046', '< 0.001')
    """
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"


def _queries(scores: SystemScores, row: str) -> str:
    return "" if row == MEAN else str(score_of(scores, row).queries)


def _score_text(scores: SystemScores, row: str) -> str:
    text = f"{mean_of(scores, row):.3f}"
    return text if row == MEAN else f"{text} {mark(score_of(scores, row))}".rstrip()


def _difference_cells(scores: SystemScores, row: str) -> Row:
    if row == MEAN:
        mean = scores.mean
        return (_estimate(mean.difference, mean.difference_interval), "", "", "", "")
    against = score_of(scores, row).against
    if against is None:
        return ("",) * 5
    return (
        _estimate(against.mean, against.interval),
        "" if against.effect is None else f"{against.effect:+.2f}",
        f"{against.wins} / {against.ties} / {against.losses}",
        p_text(against.p_holm),
        p_text(against.p_randomisation_holm),
    )


def _estimate(value: float | None, interval: Interval | None) -> str:
    if value is None or interval is None:
        return ""
    return f"{value:+.3f} [{interval.low:+.3f}, {interval.high:+.3f}]"


def _coverage_notes(comparison: Comparison) -> Iterator[str]:
    for system in comparison.systems:
        if system.missing:
            yield f"{system.name} has no hits for {_some(system.missing)}; they count as zero."
        if system.unjudged:
            queries = _some(system.unjudged)
            yield f"{system.name} has hits for {queries} without judgements or answers, left out."


def _query_notes(comparison: Comparison) -> Iterator[str]:
    if comparison.without_relevant:
        queries = _some(comparison.without_relevant)
        yield f"No passage is judged relevant to {queries}, which count as zero for every system."
    if UNKNOWN in comparison.queries:
        queries = count(comparison.queries[UNKNOWN], "query", "queries")
        yield f"The language of {queries} is not known: row {UNKNOWN!r}, not part of the mean."


def _mean_notes(comparison: Comparison) -> Iterator[str]:
    if chosen := _chosen(comparison):
        yield f"The mean is over {chosen}."


def _chosen(comparison: Comparison) -> str:
    """List the languages in the mean if some are left out; under all metrics they are the same."""
    scores = next(iter(next(iter(comparison.results.values())).values()))
    some = {*scores.languages} - {UNKNOWN, *scores.mean.languages}
    return ", ".join(scores.mean.languages) if some else ""


def _some(qids: Sequence[str]) -> str:
    """Write how many queries there are, and the first one."""
    return f"{count(len(qids), 'query', 'queries')} (such as {qids[0]})"
