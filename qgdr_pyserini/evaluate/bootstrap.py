"""How far a mean over queries may be off: bootstrap confidence intervals."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from qgdr_pyserini.evaluate.blocks import block_sizes
from qgdr_pyserini.evaluate.significance import SEED

RESAMPLES = 2_000
CONFIDENCE = 0.95


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
