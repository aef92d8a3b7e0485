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
        The coefficient c, ``(pairs,)``; see `qgdr_pyserini.train.losses.agreement`.
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
