"""Which class a teacher's checkpoint is loaded with."""

from __future__ import annotations

from typing import Any

from transformers import AutoConfig

from qgdr_pyserini.errors import QgdrError, first_line
from qgdr_pyserini.model.cross_encoder import CrossEncoder
from qgdr_pyserini.model.loading import ModelSource, place
from qgdr_pyserini.model.precision import Precision
from qgdr_pyserini.model.query_generator import QueryGenerator

TrainableTeacher = QueryGenerator | CrossEncoder
"""A teacher that is a module, with ``collate``, which makes what its ``forward`` takes."""


def load_teacher(
    checkpoint: str, *, device: str = "cpu", precision: Precision = "fp32", **options: Any
) -> TrainableTeacher:
    """Load a query generator from an encoder-decoder's checkpoint, a cross-encoder from any other.

    Parameters
    ----------
    checkpoint
        Hub name or folder.
    device
        ``cpu``, ``cuda``, ``cuda:1``, …
    precision
        Of the weights and of what is computed.
    options
        Of the class's ``load``.

    Raises
    ------
    QgdrError
        If there is no such checkpoint or it cannot be loaded, or the device is absent.
    """
    try:
        config = AutoConfig.from_pretrained(checkpoint)
    except Exception as error:
        raise QgdrError(f"{checkpoint}: no model to load ({first_line(error)})") from error
    kind: type[TrainableTeacher] = QueryGenerator if config.is_encoder_decoder else CrossEncoder
    teacher = place(kind.load(ModelSource(checkpoint=checkpoint), **options), device, precision)
    if isinstance(teacher, CrossEncoder):
        teacher.keep_head_precise()
    return teacher
