"""A dual encoder as a teacher: the inner products of its vectors, whether it is a student or another's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.model.dual_encoder import DualEncoder, Vectors
from qgdr_pyserini.model.precision import Precision, resolve_precision
from qgdr_pyserini.model.teacher import Pair, Query, Scores, Teacher

# Vectors that are kept: 400 MB of 768 components.
_KEPT = 2**17


class DualEncoderTeacher(Teacher):
    """Scores a pair by the inner product of its vectors: the cosine where the encoder normalises them.

    Passages that come again, as they do from block to block of queries, are not encoded again.

    Parameters
    ----------
    encoder
        What encodes.
    precision
        ``bf16`` is mixed precision, ``auto`` that where it is faster.
    batch_size
        Texts computed at a time.

    Examples
    --------
    >>> from qgdr_pyserini.model.registry import find_encoder
    >>> teacher = DualEncoderTeacher(DualEncoder.from_pretrained(find_encoder("qgdr")))
    >>> danube = Passage("1", "Danube", "It rises in the Black Forest.")
    >>> bridge = Passage("2", "Golden Gate Bridge", "It is a bridge in San Francisco.")
    >>> scores = teacher.score([Query("Wo entspringt die Donau?", "de")], [danube, bridge])
    >>> bool(scores[0, 0] > scores[0, 1])
    True
    """

    def __init__(self, encoder: DualEncoder, *, precision: Precision = "fp32", batch_size: int = 64) -> None:
        self._encoder = encoder
        self._bf16 = resolve_precision(precision, encoder.device) == "bf16"
        self._batch_size = batch_size
        self._vectors: dict[Passage, Vectors] = {}

    def score_pairs(
        self, queries: Sequence[Query], passages: Sequence[Passage], pairs: Sequence[Pair]
    ) -> Scores:
        """Multiply the vectors of each pair."""
        if not pairs:
            return np.empty(0, dtype=np.float32)
        with torch.autocast(self._encoder.device.type, torch.bfloat16, enabled=self._bf16):
            asked = self._encoder.encode_queries([query.text for query in queries], self._batch_size)
            found = self._encode(passages)
        places = np.array(pairs)
        products: Scores = np.einsum("pd,pd->p", asked[places[:, 0]], found[places[:, 1]])
        return products

    def remember(self, passages: Sequence[Passage], vectors: Vectors) -> None:
        """Take vectors that the same encoder has given passages before, as far as they fit."""
        self._vectors |= zip(passages[:_KEPT], vectors[:_KEPT], strict=True)

    def _encode(self, passages: Sequence[Passage]) -> Vectors:
        if len(self._vectors) > _KEPT:
            self._vectors.clear()
        new = [passage for passage in dict.fromkeys(passages) if passage not in self._vectors]
        vectors = self._encoder.encode_passages(
            [passage.text for passage in new], [passage.title for passage in new], self._batch_size
        )
        self._vectors |= zip(new, vectors, strict=True)
        return np.stack([self._vectors[passage] for passage in passages])
