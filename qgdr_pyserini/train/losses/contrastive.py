"""Contrastive loss over in-batch negatives (Karpukhin et al. 2020, DPR, section 3.2)."""

from __future__ import annotations

import torch


def contrastive_loss(
    queries: torch.Tensor, passages: torch.Tensor, keys: torch.Tensor, temperature: float
) -> torch.Tensor:
    r"""Tell each query's passage from the other passages of the batch, and the reverse.

    .. math:: L = \frac12 \left(
        -\frac1n \sum_i \log\frac{e^{s_{ii}/\tau}}{\sum_j e^{s_{ij}/\tau}}
        -\frac1n \sum_i \log\frac{e^{s_{ii}/\tau}}{\sum_j e^{s_{ji}/\tau}} \right),
        \qquad s_{ij} = q_i \cdot p_j

    where the sums over j leave out the pairs that share the key of i: they are no negatives.

    Parameters
    ----------
    queries, passages
        Vectors, row i of each a pair, ``(pairs, dimension)``.
    keys
        What the pair is about, ``(pairs,)``; equal keys mean equally relevant passages.
    temperature
        The τ of the formula.

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
    """
    scores = queries @ passages.T / temperature
    target = torch.arange(len(scores), device=scores.device)
    same = keys.unsqueeze(0) == keys.unsqueeze(1)
    same.fill_diagonal_(False)
    scores = scores.masked_fill(same, -torch.inf)
    forward = torch.nn.functional.cross_entropy(scores, target)
    backward = torch.nn.functional.cross_entropy(scores.T, target)
    return (forward + backward) / 2
