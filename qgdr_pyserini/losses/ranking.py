"""Listwise ranking loss: how a teacher learns to tell the positive from retrieved negatives."""

from __future__ import annotations

import torch


def ranking_loss(scores: torch.Tensor, mask: torch.Tensor, temperature: float = 1.0) -> torch.Tensor:
    r"""Cross-entropy of a teacher's distribution over a positive and its hard negatives.

    .. math:: L = -\frac1n \sum_q \log \mathrm{softmax}(t(q, C) / \tau)_0

    The second step of training a query generator (Ren et al. 2022, QuiCK), where t is the
    length-normalised log-likelihood, and the only one of a cross-encoder (Gao et al. 2021,
    "Rethink training of BERT rerankers").

    Parameters
    ----------
    scores
        The teacher's, the positive's first, ``(queries, candidates)``.
    mask
        False where a candidate is padding, ``(queries, candidates)``.
    temperature
        The τ of the formula.

    Returns
    -------
    torch.Tensor
        A scalar.

    Examples
    --------
    >>> scores = torch.tensor([[1.0, 0.0, 5.0]])
    >>> ranking_loss(scores, torch.tensor([[True, True, False]]))
    tensor(0.3133)
    """
    target = torch.zeros(len(scores), dtype=torch.long, device=scores.device)
    return torch.nn.functional.cross_entropy((scores / temperature).masked_fill(~mask, -torch.inf), target)
