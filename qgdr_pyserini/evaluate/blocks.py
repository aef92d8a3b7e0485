"""Resampling in blocks, so that it never needs much memory at once."""

from __future__ import annotations

from collections.abc import Iterator

_NUMBERS = 4_000_000
"""Numbers that a block holds: 32 MB of float64."""


def block_sizes(rows: int, columns: int) -> Iterator[int]:
    """Divide a matrix into blocks of whole rows; yield how many rows each has.

    Examples
    --------
    >>> list(block_sizes(10_000, 1_000))
    [4000, 4000, 2000]
    """
    size = max(1, _NUMBERS // max(1, columns))
    for start in range(0, rows, size):
        yield min(size, rows - start)
