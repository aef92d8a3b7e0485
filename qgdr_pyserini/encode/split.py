"""How long documents are split: the length of segments, and from where to where they go on."""

from __future__ import annotations

import dataclasses

from qgdr_pyserini.errors import QgdrError


@dataclasses.dataclass(frozen=True, slots=True)
class Split:
    """How documents are split.

    Parameters
    ----------
    tokens
        Most tokens of a segment as it is encoded: title, prefix and special tokens included.
    stride
        Tokens of the text from where one segment begins to where the next does, as far as sentences let;
        as many as ``tokens`` where segments are not to overlap.

    Raises
    ------
    QgdrError
        If text would be left out between segments.
    """

    tokens: int
    stride: int

    def __post_init__(self) -> None:
        """Refuse what would lose text."""
        if self.stride > self.tokens:
            raise QgdrError(
                f"--stride {self.stride} is more than --split {self.tokens}, so text between segments would "
                "be left out; choose at most as much"
            )

    def __str__(self) -> str:
        return f"--split {self.tokens} --stride {self.stride}"


def split_of(tokens: int | None, stride: int | None) -> Split | None:
    """Take the two options together; without a stride, segments do not overlap.

    Raises
    ------
    QgdrError
        If there is a stride alone, or it would leave text out.
    """
    if tokens is None and stride is not None:
        raise QgdrError(f"--stride {stride} goes with --split TOKENS, the length of segments")
    return None if tokens is None else Split(tokens, stride or tokens)
