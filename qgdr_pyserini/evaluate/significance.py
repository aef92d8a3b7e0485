"""Is a difference more than chance: a paired test, corrected for how many are made."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ttest_rel

_EQUAL = 1e-12


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
