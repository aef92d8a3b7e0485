"""One batch out of the batches of all processes, for losses that compare its rows."""

from __future__ import annotations

import torch
from torch import distributed
from torch.distributed.nn.functional import all_gather


def gather(rows: torch.Tensor) -> torch.Tensor:
    """Join the rows that all processes hold, with gradients.

    A loss of the joined rows is the same number in every process. Its gradient arrives at the
    rows of a process from all of them, so it is as many times too large as there are processes;
    data-parallel training averages gradients over processes, which makes it exact.

    Parameters
    ----------
    rows
        ``(rows, …)``, of the same shape in every process.

    Returns
    -------
    torch.Tensor
        ``(processes · rows, …)``, in the order of the processes' ranks; ``rows`` itself where
        there is one process.

    Examples
    --------
    >>> gather(torch.tensor([1.0, 2.0]))
    tensor([1., 2.])
    """
    if not distributed.is_initialized() or distributed.get_world_size() == 1:
        return rows
    if rows.requires_grad:
        return torch.cat(all_gather(rows))  # type: ignore[no-untyped-call]
    parts = [torch.empty_like(rows) for _ in range(distributed.get_world_size())]
    distributed.all_gather(parts, rows.contiguous())
    return torch.cat(parts)
