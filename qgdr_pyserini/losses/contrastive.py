"""Contrastive loss over in-batch and hard negatives (Karpukhin et al. 2020, DPR, section 3.2)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch.nn.functional import cross_entropy


class HardNegatives(NamedTuple):
    """Passages retrieved for some query of the batch, which none of its queries is about.

    Parameters
    ----------
    vectors
        ``(negatives, dimension)``.
    keys
        What each passage is about, in the numbering of the pairs' keys, ``(negatives,)``.
    real
        False for padding, ``(negatives,)``.
    """

    vectors: torch.Tensor
    keys: torch.Tensor
    real: torch.Tensor


def contrastive_loss(
    queries: torch.Tensor,
    passages: torch.Tensor,
    keys: torch.Tensor,
    temperature: float,
    negatives: HardNegatives | None = None,
    *,
    symmetric: bool = True,
) -> torch.Tensor:
    r"""Tell each query's passage from the other passages of the batch, and the reverse.

    .. math:: L = \frac12 \left(
        -\frac1n \sum_i \log\frac{e^{s_{ii}/\tau}}{\sum_j e^{s_{ij}/\tau} + \sum_h e^{s_{ih}/\tau}}
        -\frac1n \sum_i \log\frac{e^{s_{ii}/\tau}}{\sum_j e^{s_{ji}/\tau}} \right),
        \qquad s_{ij} = q_i \cdot p_j

    where j runs over the pairs and h over the hard negatives of the whole batch; whatever shares
    the key of i is left out of its sums: it is no negative.

    Parameters
    ----------
    queries, passages
        Vectors, row i of each a pair, ``(pairs, dimension)``.
    keys
        What the pair is about, ``(pairs,)``; equal keys mean equally relevant passages.
    temperature
        The τ of the formula.
    negatives
        The hard negatives; None for in-batch negatives alone.
    symmetric
        Without it, L is the first of the two terms, not halved, as DPR has it.

    Returns
    -------
    torch.Tensor
        A scalar.

    Examples
    --------
    >>> vectors = torch.eye(2)
    >>> contrastive_loss(vectors, vectors, torch.tensor([0, 1]), temperature=1.0)
    tensor(0.3133)
    >>> contrastive_loss(vectors, vectors, torch.tensor([7, 7]), temperature=1.0)
    tensor(0.)
    >>> hard = HardNegatives(vectors[:1], torch.tensor([2]), torch.tensor([True]))
    >>> contrastive_loss(vectors, vectors, torch.tensor([0, 1]), 1.0, hard, symmetric=False)
    tensor(0.7067)
    """
    target = torch.arange(len(queries), device=queries.device)
    same = keys.unsqueeze(1) == keys.unsqueeze(0)
    same.fill_diagonal_(False)
    scores = (queries @ passages.T / temperature).masked_fill(same, -torch.inf)
    rows = scores
    if negatives is not None:
        no_negative = (keys.unsqueeze(1) == negatives.keys) | ~negatives.real
        hard = (queries @ negatives.vectors.T / temperature).masked_fill(no_negative, -torch.inf)
        rows = torch.cat([scores, hard], dim=1)
    forward = cross_entropy(rows, target)
    return (forward + cross_entropy(scores.T, target)) / 2 if symmetric else forward
