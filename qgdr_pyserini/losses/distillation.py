"""Distillation from a teacher's scores (Ren et al. 2022, QuiCK; Hinton et al. 2015 for the temperatures)."""

from __future__ import annotations

from typing import NamedTuple

import torch


def distillation_loss(
    student: torch.Tensor,
    teacher: torch.Tensor,
    mask: torch.Tensor,
    student_temperature: float = 1.0,
    teacher_temperature: float = 1.0,
) -> torch.Tensor:
    r"""Bring the student's distribution over candidates near the teacher's.

    .. math:: L_{KD} = \frac1n \sum_q \mathrm{KL}\left(
        \mathrm{softmax}(t(q, C) / \tau_t) \,\|\, \mathrm{softmax}(s(q, C) / \tau_s) \right)

    Parameters
    ----------
    student, teacher
        The scores s and t, ``(queries, candidates)``. The teacher's receive no gradient. A
        teacher's score of minus infinity gives a candidate no probability.
    mask
        False where a candidate is padding, ``(queries, candidates)``; at least one a row is not,
        and has a finite teacher's score.
    student_temperature, teacher_temperature
        τ_s and τ_t. What is published uses 1 for both; a teacher whose scores lie close together,
        as length-normalised log-likelihoods do, needs a τ_t below 1 to be heard.

    Returns
    -------
    torch.Tensor
        A scalar.

    Examples
    --------
    The third candidate is padding; the student has the first two the wrong way round.

    >>> student = torch.tensor([[0.0, 1.0, 9.0]])
    >>> teacher = torch.tensor([[1.0, 0.0, 9.0]])
    >>> mask = torch.tensor([[True, True, False]])
    >>> distillation_loss(student, teacher, mask)
    tensor(0.4621)
    >>> distillation_loss(teacher, teacher, mask)
    tensor(0.)
    """
    log_t = _log_softmax(teacher.detach() / teacher_temperature, mask)
    log_s = _log_softmax(student / student_temperature, mask)
    # Where the teacher has no probability the term is 0, and infinities must not reach the product.
    absent = log_t.isinf()
    ratio = log_t.masked_fill(absent, 0) - log_s.masked_fill(absent, 0)
    return (log_t.exp() * ratio).sum(dim=1).mean()


class Candidates(NamedTuple):
    """Scores of both over one list of candidates a query, each ``(queries, candidates)``."""

    student: torch.Tensor
    teacher: torch.Tensor
    mask: torch.Tensor


def extend_by_batch(
    queries: torch.Tensor,
    passages: torch.Tensor,
    keys: torch.Tensor,
    teacher: torch.Tensor,
    mask: torch.Tensor,
) -> Candidates:
    """Make every query's candidate list the passages of the whole batch.

    The teacher has not scored the other queries' candidates: it gives them no probability, so the
    student learns to keep them below its own.

    Parameters
    ----------
    queries
        Vectors, ``(queries, dimension)``.
    passages
        Vectors of each query's own candidates, ``(queries, candidates, dimension)``.
    keys
        Numbers that are equal for equal passages, ``(queries, candidates)``. A passage that is
        among a query's own candidates is not counted again.
    teacher, mask
        As `distillation_loss` takes them, ``(queries, candidates)``.

    Returns
    -------
    Candidates
        Each ``(queries, queries · candidates)``, query i's own at ``i · candidates`` and after.

    Examples
    --------
    >>> vectors = torch.tensor([[[1.0], [2.0]], [[2.0], [3.0]]])
    >>> extended = extend_by_batch(
    ...     queries=torch.ones(2, 1),
    ...     passages=vectors,
    ...     keys=torch.tensor([[7, 8], [8, 9]]),
    ...     teacher=torch.zeros(2, 2),
    ...     mask=torch.ones(2, 2, dtype=torch.bool),
    ... )
    >>> extended.mask
    tensor([[ True,  True, False,  True],
            [ True, False,  True,  True]])
    >>> extended.teacher
    tensor([[0., 0., -inf, -inf],
            [-inf, -inf, 0., 0.]])
    """
    own = torch.eye(len(queries), dtype=torch.bool, device=queries.device)
    own = own.repeat_interleave(keys.shape[1], dim=1)
    repeated = (keys.view(1, -1, 1) == keys.unsqueeze(1)) & mask.unsqueeze(1)
    student = queries @ passages.flatten(0, 1).T
    counts = mask.view(1, -1) & (own | ~repeated.any(dim=2))
    return Candidates(student, teacher.reshape(1, -1).where(own, -torch.inf), counts)


def _log_softmax(scores: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return scores.masked_fill(~mask, -torch.inf).log_softmax(dim=1)
