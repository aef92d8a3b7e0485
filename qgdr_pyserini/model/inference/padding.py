"""Rows of tokens of several lengths as one rectangle."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import torch


def pad(
    rows: Sequence[Sequence[int]],
    padding: int = 0,
    *,
    width: int = 0,
    left: bool = False,
    device: torch.device | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Pad rows of tokens, on the right or on the left.

    Parameters
    ----------
    rows
        Token numbers of each text.
    padding
        The number to fill up with.
    width
        Length to pad to at least; that of the longest row if it is longer.
    left
        Whether to fill up on the left.
    device
        Where the tensors go; the CPU when None.

    Returns
    -------
    tuple of torch.Tensor
        Tokens, and the mask that is 1 where they are, each int64, ``(rows, tokens)``.

    Examples
    --------
    >>> pad([[5, 6], [7]], left=True)
    (tensor([[5, 6],
            [0, 7]]), tensor([[1, 1],
            [0, 1]]))
    """
    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    places = np.arange(max(width, lengths.max(initial=0)))
    mask = places < lengths[:, None]
    if left:
        mask = np.ascontiguousarray(mask[:, ::-1])
    ids = np.full(mask.shape, padding, dtype=np.int64)
    ids[mask] = np.fromiter(itertools.chain.from_iterable(rows), np.int64, int(lengths.sum()))
    return torch.from_numpy(ids).to(device), torch.from_numpy(mask.astype(np.int64)).to(device)
