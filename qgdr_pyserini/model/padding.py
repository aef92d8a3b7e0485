"""Rows of tokens of several lengths as rectangles: one of all, or one of each of a few like lengths."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import TypedDict

import numpy as np
import torch

Features = dict[str, torch.Tensor]
"""``input_ids`` and ``attention_mask``, ``(texts, tokens)`` each."""

_TOKENS = 4096


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


class Chunks(TypedDict):
    """A batch's texts, the short ones first; ``order`` holds the place in the batch of each row."""

    parts: list[Features]
    order: torch.Tensor


def in_chunks(rows: Sequence[Sequence[int]], padding: int, tokens: int = _TOKENS) -> Chunks:
    """Sort tokenised texts by length, and pad them chunk by chunk.

    Parameters
    ----------
    rows
        Token numbers of each text.
    padding
        The number that stands for padding.
    tokens
        The most of a chunk, padding included; a longer text is a chunk of its own.

    Examples
    --------
    >>> chunks = in_chunks([[5, 6, 7], [8], [9, 9]], padding=0, tokens=4)
    >>> [part["input_ids"].tolist() for part in chunks["parts"]]
    [[[8, 0], [9, 9]], [[5, 6, 7]]]
    >>> chunks["order"]
    tensor([1, 2, 0])
    """
    order = sorted(range(len(rows)), key=lambda place: len(rows[place]))
    parts: list[list[int]] = [[]]
    for place in order:
        if parts[-1] and (len(parts[-1]) + 1) * len(rows[place]) > tokens:
            parts.append([])
        parts[-1].append(place)
    padded = [_padded([rows[place] for place in part], padding) for part in parts if part]
    return Chunks(parts=padded, order=torch.tensor(order, dtype=torch.int64))


def _padded(rows: Sequence[Sequence[int]], padding: int) -> Features:
    ids, mask = pad(rows, padding)
    return {"input_ids": ids, "attention_mask": mask}


def encode_chunks(encoder: Callable[[Features], torch.Tensor], chunks: Chunks) -> torch.Tensor:
    """Encode a batch's texts: ``(texts, dimension)``, in the batch's order."""
    vectors = torch.cat([encoder(part) for part in chunks["parts"]])
    return torch.empty_like(vectors).index_copy(0, chunks["order"], vectors)
