"""Weights of scores, fitted to labels: the conditional logit (McFadden 1974)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import logsumexp

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

RIDGE = 1e-3
"""Keeps weights finite where the positive is always first; for scores of like spread, worth 0.001 to 0.01."""


def fit_weights(scores: Array, mask: Mask, ridge: float = RIDGE) -> Array:
    r"""Choose the weights under which the positives are most likely.

    .. math:: \min_{w \ge 0} \; -\frac1n \sum_q \log \mathrm{softmax}\Big( \sum_k w_k s_k(q, C) \Big)_0
        + \frac{\rho}{2} \sum_k (w_k \sigma_k)^2

    with σ_k the spread of score k among the candidates of a question, so that the ridge does not depend on
    units. The objective is convex and is minimised by L-BFGS-B in the units of the spreads; the weights
    returned are for raw scores. As they also set the scale of the sum, its softmax is calibrated: no
    temperature is left to choose.

    Parameters
    ----------
    scores
        The positive's first, ``(questions, candidates, scores)``.
    mask
        False where a candidate is padding, ``(questions, candidates)``.
    ridge
        ρ.

    Returns
    -------
    numpy.ndarray
        ``(scores,)``, none below 0. A score that tells the candidates of no question apart gets 0.

    Examples
    --------
    One candidate of two is better by 1, and right three times in four: the weight is log 3.

    >>> scores = np.array([[[1.0], [0.0]]] * 3 + [[[0.0], [1.0]]])
    >>> fit_weights(scores, np.ones((4, 2), dtype=bool), ridge=0.0).round(3)
    array([1.099])
    """
    real = mask[:, :, None]
    spread = _spread(scores, real)
    apart = spread > 0
    # What is added to all candidates of a question changes nothing, so the positive can stand at 0.
    scaled = np.where(real, scores - scores[:, :1], 0.0) / np.where(apart, spread, 1.0)

    def objective(weights: Array) -> tuple[float, Array]:
        logits = np.where(mask, scaled @ weights, -np.inf)
        total = logsumexp(logits, axis=1)
        likely = np.exp(logits - total[:, None])
        gradient = np.einsum("qc,qck->k", likely, scaled) / len(scaled)
        return float(total.mean() + ridge / 2 * weights @ weights), gradient + ridge * weights

    start, bounds = apart.astype(np.float64), [(0.0, None)] * len(spread)
    found: Any = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds)
    weights: Array = np.where(apart, found.x / np.where(apart, spread, 1.0), 0.0)
    return weights


def negative_log_likelihood(scores: Array, mask: Mask) -> Array:
    """Tell how unlikely each question's positive is under the softmax of its scores, in nats.

    Parameters
    ----------
    scores
        The positive's first, ``(questions, candidates)``.
    mask
        False where a candidate is padding, ``(questions, candidates)``.

    Returns
    -------
    numpy.ndarray
        ``(questions,)``.

    Examples
    --------
    >>> negative_log_likelihood(np.array([[1.0, 0.0, 5.0]]), np.array([[True, True, False]])).round(4)
    array([0.3133])
    """
    unlikely: Array = logsumexp(np.where(mask, scores, -np.inf), axis=1) - scores[:, 0]
    return unlikely


def _spread(scores: Array, real: Mask) -> Array:
    """Take the standard deviation of each score among the candidates of a question, over all questions."""
    count = real.sum(axis=1, keepdims=True)
    mean = np.where(real, scores, 0.0).sum(axis=1, keepdims=True) / count
    squares = np.where(real, (scores - mean) ** 2, 0.0).sum(axis=(0, 1)) / real.sum()
    spread: Array = np.sqrt(squares)
    return spread
