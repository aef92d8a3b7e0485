"""Which class a teacher's checkpoint is loaded with."""

from __future__ import annotations

from typing import Any

from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.cross_encoder import CrossEncoder
from qgdr_pyserini.model.loading import ModelSource, is_causal, load_config, place, wished_dtype
from qgdr_pyserini.model.precision import Precision
from qgdr_pyserini.model.query_generator import QueryGenerator

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
