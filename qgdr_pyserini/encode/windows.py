"""Cutting a stream of passages into windows, and windows into batches that waste little padding."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

from qgdr_pyserini.collection.corpus import Passage


def windows(passages: Iterable[Passage], size: int) -> Iterator[list[Passage]]:
    """Yield runs of ``size`` passages; the last may be shorter.

    Where a window begins depends on the passage's number alone, so batches, and with them the last bits
    of every vector, are the same whether a run was interrupted or not.
    """
    stream = iter(passages)
    while window := list(itertools.islice(stream, size)):
        yield window


def batches(lengths: Sequence[int], tokens: int) -> Iterator[list[int]]:
    """Yield the positions of texts of like length, longest first.

    A batch is padded to its longest text, so sorting saves work on padding; and the largest batch
    comes first, so that memory runs out at once or not at all.

    Parameters
    ----------
    lengths
        The texts' lengths in tokens.
    tokens
        Most tokens a batch may hold, padding included; a text that is longer is a batch of its own.

    Examples
    --------
    >>> list(batches([2, 9, 4, 3], tokens=8))
    [[1], [2, 3], [0]]
    """
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    start = 0
    while start < len(order):
        longest = max(1, lengths[order[start]])
        rows = order[start : start + max(1, tokens // longest)]
        yield rows
        start += len(rows)
