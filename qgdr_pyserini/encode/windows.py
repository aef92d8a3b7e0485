"""Cutting a stream of passages into windows, and windows into batches that waste little padding."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

from qgdr_pyserini.collection.corpus import Passage


def windows(passages: Iterable[Passage], size: int) -> Iterator[list[Passage]]:
    """Yield runs of ``size`` passages; the last may be shorter.

    A window is all of the corpus that is in memory at a time.
    """
    stream = iter(passages)
    while window := list(itertools.islice(stream, size)):
        yield window


def batches(window: Sequence[Passage], size: int) -> Iterator[list[int]]:
    """Yield the positions of passages of like length, longest first.

    A batch is padded to its longest passage, so sorting saves work on padding; and the largest batch
    comes first, so that memory runs out at once or not at all.

    Parameters
    ----------
    window
        Passages in corpus order.
    size
        How many make a batch; the last may be shorter.

    Examples
    --------
    >>> window = [Passage("a", "", "x"), Passage("b", "", "xxx"), Passage("c", "", "xx")]
    >>> list(batches(window, size=2))
    [[1, 2], [0]]
    """
    # Bytes foretell tokens better than characters do: scripts that say much in a character spend bytes on it.
    lengths = [len(passage.contents.encode()) for passage in window]
    order = sorted(range(len(window)), key=lambda i: -lengths[i])
    for start in range(0, len(order), size):
        yield order[start : start + size]
