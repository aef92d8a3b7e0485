"""How well a teacher's opinions of two queries agree: the coefficient of query alignment."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field

from qgdr_pyserini.settings import Settings


class AgreementSettings(Settings):
    """How agreement is measured. The paper says that it is, not how; these choices are ours to set.

    Parameters
    ----------
    temperature
        Of the teacher's distributions; best the one it is distilled with.
    measure
        ``pearson`` correlates the probabilities, so what counts is the few likely candidates;
        ``spearman`` correlates their ranks, so all candidates count alike.
    """

    temperature: float = Field(default=1.0, gt=0)
    measure: Literal["pearson", "spearman"] = "pearson"


def agreement(
    source: torch.Tensor, generated: torch.Tensor, mask: torch.Tensor, settings: AgreementSettings
) -> torch.Tensor:
    r"""Correlate a teacher's distributions for two queries over the same candidates.

    .. math:: c(q, q') = \mathrm{corr}\left(
        \mathrm{softmax}(t(q, C) / \tau), \mathrm{softmax}(t(q', C) / \tau) \right)

    Parameters
    ----------
    source, generated
        The teacher's scores of q and of q′, ``(pairs, candidates)``.
    mask
        False where a candidate is padding, ``(pairs, candidates)``.
    settings
        Temperature τ, and which correlation.

    Returns
    -------
    torch.Tensor
        Between -1 and 1, ``(pairs,)``; 0 where a distribution is constant and so says nothing.

    Examples
    --------
    >>> source = torch.tensor([[2.0, 1.0, 0.0], [2.0, 1.0, 0.0], [2.0, 1.0, 0.0]])
    >>> generated = torch.tensor([[2.0, 1.0, 0.0], [0.0, 1.0, 2.0], [1.0, 1.0, 1.0]])
    >>> mask = torch.ones(3, 3, dtype=torch.bool)
    >>> agreement(source, generated, mask, AgreementSettings(measure="spearman"))
    tensor([ 1.0000, -1.0000,  0.0000])
    >>> agreement(source, generated, mask, AgreementSettings())
    tensor([ 1.0000, -0.8671,  0.0000])
    """
    p, q = (
        (scores / settings.temperature).masked_fill(~mask, -torch.inf).softmax(dim=1)
        for scores in (source, generated)
    )
    if settings.measure == "spearman":
        p, q = _ranks(p, mask), _ranks(q, mask)
    p, q = _centred(p, mask), _centred(q, mask)
    return torch.nn.functional.cosine_similarity(p, q, dim=1, eps=1e-12)


def _centred(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    mean = (values * mask).sum(dim=1, keepdim=True) / mask.sum(dim=1, keepdim=True)
    centred = (values - mean) * mask
    # What rounding leaves of a constant row is not a direction.
    return centred.where(centred.abs() > 1e-6 * mean, 0)


def _ranks(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Count the real candidates below each, and half of those level with it."""
    below = (values.unsqueeze(2) > values.unsqueeze(1)) & mask.unsqueeze(1)
    level = (values.unsqueeze(2) == values.unsqueeze(1)) & mask.unsqueeze(1)
    return below.sum(dim=2) + level.sum(dim=2).to(values.dtype) / 2
