"""Tables in a terminal."""

from __future__ import annotations

from collections.abc import Sequence


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lay cells out in columns, flush right.

    Examples
    --------
    >>> columns([("kind", "size"), ("flat", "9")])
    ['kind  size', 'flat     9']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
