"""Statistical significance: paired tests, Holm's correction, and bootstrap confidence intervals.

Resampling goes in blocks, so that it never needs much memory at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ttest_rel

RANDOMISATIONS = 10_000
"""Random swaps of the two systems that Fisher's test makes where there are more than that many."""

SEED = 20221207
"""Of all random numbers in a comparison: equal input gives equal p-values and intervals."""

_EQUAL = 1e-12

RESAMPLES = 2_000

CONFIDENCE = 0.95

_NUMBERS = 4_000_000
"""Numbers that a block holds: 32 MB of float64."""


def paired_p_value(baseline: NDArray[np.float64], system: NDArray[np.float64]) -> float:
    """Test whether two systems' mean scores differ, over the same queries.

    Student's paired t-test, two-sided. Where all differences are equal its statistic is 0/0 or infinite,
    whatever the number of queries; the exact randomization test answers instead: no difference gives 1, and
    n equal ones give 2^(1-n), since only two of the 2^n ways to swap the systems are as extreme.

    Parameters
    ----------
    baseline, system
        Scores by query, shape (queries,), in the same order.

    Returns
    -------
    float
        Between 0 and 1; never NaN.

    Examples
    --------
    >>> paired_p_value(np.array([0.5, 0.0, 1.0]), np.array([0.5, 0.0, 1.0]))
    1.0
    >>> paired_p_value(np.array([0.0, 0.0, 0.0]), np.array([1.0, 1.0, 1.0]))
    0.25
    >>> round(paired_p_value(np.array([0.0, 0.0, 0.0, 0.5]), np.array([1.0, 0.5, 1.0, 0.5])), 4)
    0.0796
    """
    difference = system - baseline
    if np.ptp(difference) > _EQUAL:
        return float(ttest_rel(system, baseline).pvalue)
    return 1.0 if abs(difference[0]) <= _EQUAL else 2.0 ** (1 - len(difference))


def randomisation_p_values(differences: NDArray[np.float64]) -> NDArray[np.float64]:
    """Test by Fisher's randomisation, two-sided, whether mean differences are significant.

    If two systems are alike, either may have brought either score, so each query's difference could as well
    have the other sign. The p-value is the share of such swaps whose mean lies at least as far from zero as
    the one observed: of all 2^n where those are no more than `RANDOMISATIONS`, else of that many random ones,
    the observed one counted among them. All columns meet the same swaps.

    Parameters
    ----------
    differences
        System minus baseline by query, shape (queries, comparisons).

    Returns
    -------
    array
        P-values, shape (comparisons,), above 0 and at most 1.

    References
    ----------
    M. Smucker, J. Allan and B. Carterette, A Comparison of Statistical Significance Tests for Information
    Retrieval Evaluation, CIKM 2007.

    Examples
    --------
    >>> float(randomisation_p_values(np.array([[1.0], [1.0], [1.0]]))[0])
    0.25
    """
    observed = np.abs(differences.sum(axis=0))
    # Sums of the same numbers in another order may differ in the last bits.
    least = observed - _EQUAL * np.maximum(1.0, np.abs(differences).sum(axis=0))
    extreme, swaps = np.zeros(differences.shape[1]), 0
    for signs in _signs(len(differences)):
        extreme += (np.abs(signs @ differences) >= least).sum(axis=0)
        swaps += len(signs)
    if 2 ** min(len(differences), 64) > RANDOMISATIONS:
        extreme, swaps = extreme + 1, swaps + 1
    return np.asarray(extreme / swaps)


def _signs(queries: int) -> Iterator[NDArray[np.float64]]:
    """Yield blocks of swaps, 1 and -1, shape (block, queries): all there are, or random ones."""
    if queries < 64 and 2**queries <= RANDOMISATIONS:
        bits = np.arange(2**queries)[:, None] >> np.arange(queries) & 1
        yield 1.0 - 2.0 * bits.astype(np.float64)
        return
    random = np.random.default_rng(SEED)
    for size in block_sizes(RANDOMISATIONS, queries):
        drawn = np.frombuffer(random.bytes(-(-size * queries // 8)), np.uint8)
        coins = np.unpackbits(drawn, count=size * queries).reshape(size, queries)
        yield 1.0 - 2.0 * coins.astype(np.float64)


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct a family of p-values so that the chance of even one false finding stays bounded.

    The k-th smallest of m is multiplied by m - k + 1; none comes out smaller than the one before it.

    Parameters
    ----------
    p_values
        One for each comparison made.

    Returns
    -------
    list of float
        Corrected values, at most 1, in the order given.

    References
    ----------
    S. Holm, A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian Journal of Statistics 6,
    1979, pp. 65-70.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for done, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - done) * p_values[place]))
        corrected[place] = largest
    return corrected


class Interval(NamedTuple):
    """A confidence interval's ends."""

    low: float
    high: float


def resampled_means(sums: NDArray[np.float64], sizes: NDArray[np.intp] | None = None) -> NDArray[np.float64]:
    """Draw as many questions as there are, with replacement, and take their queries' mean; again and again.

    All columns meet the same draws. The seed is fixed, so that as many questions in the same order also meet
    the same draws: those of each language of a parallel collection.

    Parameters
    ----------
    sums
        Of each question's queries, shape (questions, columns), from `by_question`.
    sizes
        How many queries each is the sum of, shape (questions,); one each when None.

    Returns
    -------
    array
        Means, shape (`RESAMPLES`, columns).
    """
    random = np.random.default_rng(SEED)
    questions = len(sums)
    means = []
    for size in block_sizes(RESAMPLES, questions):
        drawn = random.integers(0, questions, size=(size, questions)) + np.arange(size)[:, None] * questions
        # How often each question was drawn; a product with that is far faster than gathering the values.
        times = np.bincount(drawn.ravel(), minlength=size * questions).reshape(size, questions)
        means.append(times @ sums / (questions if sizes is None else (times @ sizes)[:, None]))
    return np.concatenate(means)


def intervals(means: NDArray[np.float64]) -> list[Interval]:
    """Take the percentile interval of every column's resampled means.

    Parameters
    ----------
    means
        From `resampled_means`, shape (resamples, columns).

    Returns
    -------
    list of Interval
        One a column, at `CONFIDENCE`.

    Examples
    --------
    >>> intervals(resampled_means(np.array([[1.0], [1.0], [1.0]])))
    [Interval(low=1.0, high=1.0)]
    """
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, (tail, 1 - tail), axis=0)
    return [Interval(float(a), float(b)) for a, b in zip(low, high, strict=True)]


def block_sizes(rows: int, columns: int) -> Iterator[int]:
    """Divide a matrix into blocks of whole rows; yield how many rows each has.

    Examples
    --------
    >>> list(block_sizes(10_000, 1_000))
    [4000, 4000, 2000]
    """
    size = max(1, _NUMBERS // max(1, columns))
    for start in range(0, rows, size):
        yield min(size, rows - start)
