"""Search by vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from qgdr_pyserini.ask.hits import Hit
from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.encode.faiss_types import open_index
from qgdr_pyserini.encode.queries import encoder_of_index
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.inference.precision import lay_out
from qgdr_pyserini.model.registry import encoder_name
from qgdr_pyserini.pyserini_plugin.flat_search import search_flat_indexes_exactly

Vectors = npt.NDArray[np.float32]

Lookup = Callable[[Sequence[int]], list[Passage]]
"""Gives the passages in some rows of an index."""


class DenseSearcher:
    """Finds the passages of an index whose vectors are nearest a question's, as `FaissSearcher` does.

    Parameters
    ----------
    index
        The index's folder.
    passages
        Gives the passages in its rows.
    encoder
        Name or path; the one that made the index if None.
    device
        Where questions are encoded.

    Raises
    ------
    QgdrError
        If the index cannot be read or another encoder made it.
    """

    def __init__(
        self, index: Path, passages: Lookup, encoder: str | None = None, device: str = "cpu"
    ) -> None:
        self._passages = passages
        self.encoder = lay_out(encoder_of_index(index, encoder, device))
        self.guesses = self.encoder.guesses
        self.name = encoder_name(self.encoder.folder or index)
        self._index = open_index(index)
        if self._index.d != self.encoder.dimension:
            raise QgdrError(
                f"{index}: its vectors have {self._index.d} dimensions, those of the questions "
                f"{self.encoder.dimension}; encode both with one encoder"
            )
        search_flat_indexes_exactly(self._index)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def search(self, questions: Sequence[str], hits: int) -> list[list[Hit]]:
        """Return at most ``hits`` passages for each question, best first, whatever the others are."""
        if not questions:
            return []
        scores, rows = self._index.search(self.encode(questions), min(hits, max(1, len(self))))
        return [self._hits(*found) for found in zip(scores.tolist(), rows.tolist(), strict=True)]

    def encode(self, questions: Sequence[str]) -> Vectors:
        """Encode questions: float32, ``(questions, dimension)``."""
        return self.encoder.encode_queries(questions)

    def _hits(self, scores: list[float], rows: list[int]) -> list[Hit]:
        # Approximate indexes may find fewer, and fill up with row -1.
        found = [(score, row) for score, row in zip(scores, rows, strict=True) if row >= 0]
        passages = self._passages([row for _, row in found])
        return [Hit(passage, score) for (score, _), passage in zip(found, passages, strict=True)]
