"""How a corpus is encoded, and which part of it."""

from __future__ import annotations

import dataclasses
import re

from qgdr_pyserini.encode.faiss_types import DEFAULTS, IndexParameters
from qgdr_pyserini.encode.split import Split
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.config import NOTHING, EncoderOptions


@dataclasses.dataclass(frozen=True, slots=True)
class Shard:
    """Part ``number`` of ``of``: every ``of``-th window of the corpus, beginning with the ``number``-th.

    Windows are dealt out whole, and the corpus is read in the same order everywhere, so a passage gets the
    same batch, and the same vector, in a shard as in an undivided run.

    Parameters
    ----------
    number
        From 1 to ``of``.
    of
        How many parts there are.

    Examples
    --------
    >>> [window for window in range(7) if Shard(2, 3).holds(window)]
    [1, 4]
    """

    number: int
    of: int

    def holds(self, window: int) -> bool:
        """Whether window number ``window``, counted from 0, is in this part."""
        return window % self.of == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read ``I/N``.

        Raises
        ------
        QgdrError
            If it is not that, or I is not between 1 and N.

        Examples
        --------
        >>> Shard.parse("2/3")
        Shard(number=2, of=3)
        """
        match = re.fullmatch(r"([0-9]+)/([0-9]+)", text)
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            raise QgdrError(f"shard {text!r} must be I/N with I from 1 to N, as 1/3")
        return cls(int(match[1]), int(match[2]))


WHOLE = Shard(1, 1)
"""The corpus undivided."""


@dataclasses.dataclass(frozen=True, slots=True)
class EncodingOptions:
    """How a corpus is encoded.

    Parameters
    ----------
    device
        ``cpu``, ``cuda``, ``cuda:1``, …, or several with commas between; a GPU where there is one when None.
    max_length
        Tokens beyond which a passage is cut off; the encoder's own when None.
    batch_tokens
        Tokens computed at a time, padding included; chosen for the device when None.
    window
        Passages that are sorted by length to make batches, and saved together.
    index_type
        One of `INDEX_TYPES`, or a FAISS factory string; when None, ``flat``, or what unfinished work was
        begun with.
    precision
        ``auto``, ``fp32``, ``bf16``, ``fp16`` or ``int8``.
    shard
        Which part of the corpus to encode; all of it by default.
    settings
        What the encoder's folder says nothing about.
    store
        Whether to keep the passages themselves beside the index.
    index_parameters
        Of the index type.
    split
        How to split documents into segments; passages are taken as they are when None.
    """

    device: str | None = None
    max_length: int | None = None
    batch_tokens: int | None = None
    window: int = 1024
    index_type: str | None = None
    precision: str = "auto"
    shard: Shard = WHOLE
    settings: EncoderOptions = NOTHING
    store: bool = True
    index_parameters: IndexParameters = DEFAULTS
    split: Split | None = None
