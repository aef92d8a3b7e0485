"""Which class scores under a name: query generator, cross-encoder, or a dual encoder's inner products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.cross_encoder import CrossEncoder
from qgdr_pyserini.model.dual_encoder import DualEncoder, Vectors
from qgdr_pyserini.model.loading import ModelSource, is_causal, load_config, place, wished_dtype
from qgdr_pyserini.model.precision import Precision, resolve_precision
from qgdr_pyserini.model.query_generator import QueryGenerator
from qgdr_pyserini.model.registry import find_own_encoder
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


TrainableTeacher = QueryGenerator | CrossEncoder
"""A teacher that is a module, with ``collate``, which makes what its ``forward`` takes."""


def load_teacher(
    checkpoint: str,
    *,
    kind: type[TrainableTeacher] | None = None,
    device: str = "cpu",
    precision: Precision = "fp32",
    **options: Any,
) -> TrainableTeacher:
    """Load a teacher to score with, or to write.

    Parameters
    ----------
    checkpoint
        Hub name, folder or GGUF file.
    kind
        What it has to be; when None, a query generator where the checkpoint is a language model, else a
        cross-encoder.
    device
        ``cpu``, ``cuda``, ``cuda:1``, …
    precision
        Of the weights and of what is computed.
    options
        Of the class's ``load``.

    Raises
    ------
    QgdrError
        If there is no such checkpoint, it cannot be loaded or has no trained head, or the device is absent.
    """
    if kind is None:
        kind = QueryGenerator if writes_text(checkpoint) else CrossEncoder
    dtype = wished_dtype(precision, device)
    loaded = kind.load(ModelSource(checkpoint=checkpoint), dtype=dtype, whole=True, **options)
    teacher = place(loaded, device)
    if isinstance(teacher, CrossEncoder):
        teacher.keep_head_precise()
    return teacher


def load_generator(checkpoint: str, **options: Any) -> QueryGenerator:
    """Load a query generator, as `load_teacher` does; a checkpoint that cannot write is a `QgdrError`."""
    if not writes_text(checkpoint):
        raise QgdrError(f"{checkpoint}: is no seq2seq or causal model, so it cannot write queries")
    teacher = load_teacher(checkpoint, **options)
    assert isinstance(teacher, QueryGenerator)
    return teacher


def writes_text(checkpoint: str) -> bool:
    """Tell whether a checkpoint is a language model that a query generator is made of."""
    return load_config(checkpoint).is_encoder_decoder or is_causal(ModelSource(checkpoint=checkpoint))


def load_scorer(
    name: str, *, device: str = "cpu", precision: Precision = "fp32", batch_size: int = 32
) -> Teacher:
    """Load one of our encoders, by name or folder, as `DualEncoderTeacher`; others as `load_teacher` does.

    Parameters
    ----------
    name
        An encoder's name or folder, a hub name, or a teacher's folder.
    device
        ``cpu``, ``cuda``, ``cuda:1``, …
    precision
        Of the weights and of what is computed.
    batch_size
        Passages, or pairs, computed at a time.

    Raises
    ------
    QgdrError
        If there is nothing of that name, it cannot be loaded, or the device is absent.
    """
    try:
        folder = find_own_encoder(name)
    except QgdrError:
        return load_teacher(name, device=device, precision=precision, batch_size=batch_size)
    encoder = DualEncoder.from_pretrained(folder, device)
    return DualEncoderTeacher(encoder, precision=precision, batch_size=batch_size)
