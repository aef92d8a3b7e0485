"""What a comparison finds: scores, differences from the baseline, and how sure they are."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from qgdr_pyserini.evaluate.passage_languages import PassageLanguages
from qgdr_pyserini.evaluate.significance import Interval

ALL_QUERIES = "all queries"
"""The row behind the languages; no language can be called that."""


@dataclass(frozen=True)
class Difference:
    """One system against the baseline over the same queries, paired by query.

    Attributes
    ----------
    mean
        Mean of system minus baseline.
    interval
        Its 95 % bootstrap interval.
    effect
        Cohen's d for pairs: ``mean`` over the standard deviation of the differences; None where these are
        all equal and not zero.
    wins, ties, losses
        Queries on which the system scores higher than, the same as, lower than the baseline.
    p_value, p_holm
        Of Student's t-test, and the same corrected for all comparisons under the metric.
    p_randomisation, p_randomisation_holm
        Of Fisher's randomisation test, and corrected likewise.
    """

    mean: float
    interval: Interval
    effect: float | None
    wins: int
    ties: int
    losses: int
    p_value: float
    p_holm: float
    p_randomisation: float
    p_randomisation_holm: float


@dataclass(frozen=True)
class Score:
    """One system's score over some queries.

    Attributes
    ----------
    queries
        How many.
    mean
        Mean over them.
    interval
        Its 95 % bootstrap interval.
    against
        Difference from the baseline; None for the baseline itself and where there is none.
    """

    queries: int
    mean: float
    interval: Interval
    against: Difference | None = None


@dataclass(frozen=True)
class MeanOfLanguages:
    """Mean of the languages' scores, every language counting the same.

    It is not tested, but its intervals come from resampling within each language.

    Attributes
    ----------
    languages
        Which ones.
    value, interval
        The mean and its 95 % bootstrap interval.
    difference, difference_interval
        From the baseline's mean; None where there is no baseline to differ from.
    """

    languages: tuple[str, ...]
    value: float
    interval: Interval
    difference: float | None = None
    difference_interval: Interval | None = None


@dataclass(frozen=True)
class SystemScores:
    """One system under one metric.

    Attributes
    ----------
    languages
        Score by language.
    mean
        Over the languages, or those of them that were asked for; queries without a language are left out.
    overall
        Score over all queries, every query counting the same.
    """

    languages: dict[str, Score]
    mean: MeanOfLanguages
    overall: Score


@dataclass(frozen=True)
class Coverage:
    """How a system's queries and those of the gold fit.

    Attributes
    ----------
    name, files
        The system.
    missing
        Queries of the gold without a hit; they count as zero.
    unjudged
        Queries with hits but not in the gold; they are left out.
    """

    name: str
    files: tuple[str, ...]
    missing: tuple[str, ...]
    unjudged: tuple[str, ...]


@dataclass(frozen=True)
class QueryScores:
    """Scores query by query under one metric.

    Attributes
    ----------
    qids
        The queries.
    languages
        The language of each.
    systems
        Scores by system, shape (queries,), in the order of ``qids``.
    """

    qids: tuple[str, ...]
    languages: tuple[str, ...]
    systems: dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Comparison:
    """What a report tells.

    Attributes
    ----------
    qrels, answers
        Where the judgements and answers were read; None without any.
    systems
        In the order given.
    baseline
        Name of the system that the others are tested against; None with a single system.
    queries
        Number of queries by language.
    without_relevant
        Judged queries that no passage is relevant to; they count as zero for every system.
    tests
        Number of comparisons made under each metric, the family that Holm's correction is for.
    remarks
        What else a reader has to know, in sentences.
    results
        Scores by system by metric.
    by_query
        Scores by metric, query by query.
    warnings
        What makes the comparison doubtful, in sentences.
    passages
        What is told of the languages of passages; None where they are not known.
    """

    qrels: str | None
    answers: str | None
    systems: tuple[Coverage, ...]
    baseline: str | None
    queries: dict[str, int]
    without_relevant: tuple[str, ...]
    tests: dict[str, int]
    remarks: tuple[str, ...]
    results: dict[str, dict[str, SystemScores]]
    by_query: dict[str, QueryScores] = field(compare=False, repr=False)
    warnings: tuple[str, ...] = ()
    passages: PassageLanguages | None = None
