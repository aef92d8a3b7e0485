"""What an encoder's maximum length cuts off a corpus."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence


@dataclasses.dataclass(frozen=True, slots=True)
class Truncation:
    """How much of some passages an encoder does not read.

    Parameters
    ----------
    passages
        How many were cut.
    lost
        Tokens cut off them.
    tokens
        Tokens of all passages, cut or not, before.

    Examples
    --------
    >>> both = Truncation.of([[1, 2, 3], [1, 2]], lost=[6]) + Truncation.of([[1]], lost=[0])
    >>> both, f"{both.share:.2f}"
    (Truncation(passages=1, lost=6, tokens=12), '0.50')
    """

    passages: int = 0
    lost: int = 0
    tokens: int = 0

    @property
    def share(self) -> float:
        """Which part of all tokens was cut off."""
        return self.lost / self.tokens if self.tokens else 0.0

    def __add__(self, other: Truncation) -> Truncation:
        return Truncation(self.passages + other.passages, self.lost + other.lost, self.tokens + other.tokens)

    @classmethod
    def of(cls, tokens: Iterable[Sequence[int]], lost: Sequence[int]) -> Truncation:
        """Count what passages have left, and what some of them lost."""
        return cls(sum(map(bool, lost)), sum(lost), sum(map(len, tokens)) + sum(lost))

    def describe(self, passages: int, max_length: int) -> str:
        """Say it in words.

        Parameters
        ----------
        passages
            How many there are.
        max_length
            Tokens at which they are cut.

        Examples
        --------
        >>> Truncation(1, 6, 12).describe(3, 3)
        '1 of 3 texts cut at 3 tokens, 50.0 % of all tokens lost'
        >>> Truncation(0, 0, 12).describe(3, 8)
        'none of 3 texts cut at 8 tokens'
        """
        if not self.passages:
            return f"none of {passages:,} texts cut at {max_length} tokens"
        return (
            f"{self.passages:,} of {passages:,} texts cut at {max_length} tokens, "
            f"{self.share:.1%} of all tokens lost".replace("%", " %")
        )


def total(parts: Sequence[Truncation | None]) -> Truncation | None:
    """Add up the parts of a corpus; None if one is not known.

    Examples
    --------
    >>> total([Truncation(1, 6, 12), Truncation(0, 0, 8)])
    Truncation(passages=1, lost=6, tokens=20)
    """
    known = [part for part in parts if part is not None]
    return sum(known, Truncation()) if len(known) == len(parts) else None


def as_counts(truncation: Truncation | None) -> dict[str, int] | None:
    """Put it as an index's manifest has it."""
    return None if truncation is None else dataclasses.asdict(truncation)
