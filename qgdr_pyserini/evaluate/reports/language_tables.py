"""What a report says of the languages of passages, whatever it is written in."""

from __future__ import annotations

from collections.abc import Iterator

from qgdr_pyserini.evaluate.passage_languages import CUT, Fairness, Matrix, PassageLanguages
from qgdr_pyserini.evaluate.reports.tables import Row

TITLE = "Languages of passages"

FAIRNESS_HEAD = (
    "questions in",
    "system",
    "queries",
    f"own language among the first {CUT}",
    "own language in the pool",
    f"AWRF@{CUT}",
    f"PEER@{CUT}",
)


def fairness_rows(found: PassageLanguages) -> list[Row]:
    """Lay out how fair systems are: a heading, then a row for each language of question and system."""
    rows: list[Row] = [FAIRNESS_HEAD]
    for language in dict.fromkeys(language for scores in found.fairness.values() for language in scores):
        for system, scores in found.fairness.items():
            if language in scores:
                rows.append((language, system, *_cells(scores[language])))
    return rows


def _cells(fairness: Fairness) -> Row:
    shares = (fairness.own, fairness.pool, fairness.awrf)
    probability = "" if fairness.peer is None else f"{fairness.peer:.3f}"
    return (str(fairness.queries), *(f"{share:.3f}" for share in shares), probability)


def fairness_note(found: PassageLanguages) -> str:
    """Say how fairness was measured."""
    text = (
        "A system that is blind to languages gives each the share that it has of the pool. AWRF is"
        " attention-weighted rank fairness (Sapiezynski et al. 2019): 1 less the Jensen-Shannon divergence of"
        " the languages' exposure, discounted as in DCG, from their shares of the pool; 1 is fair. PEER (Yang"
        " et al. 2024) is the mean p-value of Kruskal-Wallis tests of relevant passages' ranks by language."
    )
    if any(one.peer is None for scores in found.fairness.values() for one in scores.values()):
        text += (
            " It is left out where no question has two relevant passages in a language: of one in each, the"
            " test gives the same whatever the ranking."
        )
    return text


def matrices(found: PassageLanguages) -> Iterator[tuple[str, str, str, Matrix]]:
    """Yield system, metric, caption and cells of each matrix."""
    for system, by_metric in found.matrices.items():
        searched = (
            "each language's passages searched alone"
            if system in found.alone
            else "ranks among the passages of a language, as far as the run goes"
        )
        for metric, matrix in by_metric.items():
            caption = (
                f"{metric} of {system} by language of questions (rows) and passages (columns); {searched}"
            )
            yield system, metric, caption, matrix


def matrix_rows(matrix: Matrix, pool: dict[str, float]) -> list[Row]:
    """Lay out a matrix: a heading, then a row for each language of question."""
    rows: list[Row] = [("questions in", *pool)]
    for language, cells in matrix.items():
        rows.append((language, *(f"{cells[one]:.3f}" if one in cells else "" for one in pool)))
    return rows
