"""Query alignment: queries of one passage in two languages rank alike (Ren et al. 2022, QuiCK)."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field

from qgdr_pyserini.settings import Settings


class AlignmentSettings(Settings):
    """How queries are aligned. The paper names the loss; these choices are ours to set.

    Parameters
    ----------
    threshold
        Pairs whose agreement is below it are dropped.
    temperature
        Of both of the student's distributions.
    direction
        ``forward``: KL(q ‖ q′), the generated query follows the source query; ``reverse``:
        KL(q′ ‖ q), which forgives the generated query what the source query does not rank high;
        ``both``: their mean.
    train_source
        Whether the source query also moves towards the generated one. Without it, generated
        text, which is often flawed, cannot harm what human queries have taught.
    in_batch
        Whether the other queries' candidates count as well: a query in another language may rank high what
        its source query's candidates leave out.
    """

    threshold: float = Field(default=0.5, ge=-1, le=1)
    temperature: float = Field(default=1.0, gt=0)
    direction: Literal["forward", "reverse", "both"] = "forward"
    train_source: bool = False
    in_batch: bool = False


def alignment_loss(
    source: torch.Tensor,
    generated: torch.Tensor,
    agreement: torch.Tensor,
    mask: torch.Tensor,
    settings: AlignmentSettings,
) -> torch.Tensor:
    r"""Bring the distribution of a generated query over candidates near the source query's.

    .. math:: L_A = \frac1n \sum_{(q, q')} [c(q, q') \ge \theta] \; c(q, q') \;
        \mathrm{KL}\left( \mathrm{softmax}(s(q, C) / \tau) \,\|\, \mathrm{softmax}(s(q', C) / \tau) \right)

    n counts the dropped pairs too, so that a batch with few good pairs weighs little.

    Parameters
    ----------
    source, generated
        The student's scores of q and of q′ over the same candidates, ``(pairs, candidates)``.
    agreement
        The coefficient c, ``(pairs,)``; see `qgdr_pyserini.losses.alignment`.
    mask
        False where a candidate is padding, ``(pairs, candidates)``.
    settings
        Threshold θ, temperature τ, direction, and what receives gradients.

    Returns
    -------
    torch.Tensor
        A scalar.

    Examples
    --------
    >>> source, generated = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    >>> mask = torch.ones(1, 2, dtype=torch.bool)
    >>> alignment_loss(source, generated, torch.tensor([1.0]), mask, AlignmentSettings())
    tensor(0.4621)
    >>> alignment_loss(source, generated, torch.tensor([0.4]), mask, AlignmentSettings())
    tensor(0.)
    """
    if not settings.train_source:
        source = source.detach()
    log_q, log_g = (
        (scores / settings.temperature).masked_fill(~mask, -torch.inf).log_softmax(dim=1)
        for scores in (source, generated)
    )
    ratio = log_q.masked_fill(~mask, 0) - log_g.masked_fill(~mask, 0)
    forward, reverse = (log_q.exp() * ratio).sum(dim=1), -(log_g.exp() * ratio).sum(dim=1)
    divergence = {"forward": forward, "reverse": reverse, "both": (forward + reverse) / 2}
    weights = agreement.where(agreement >= settings.threshold, 0)
    return (weights * divergence[settings.direction]).mean()


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
