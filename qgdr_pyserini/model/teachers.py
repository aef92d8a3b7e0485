"""Which class a teacher's checkpoint is loaded with."""

from __future__ import annotations

from typing import Any

from transformers import AutoConfig

from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.cross_encoder import CrossEncoder
from qgdr_pyserini.model.loading import ModelSource
from qgdr_pyserini.model.query_generator import QueryGenerator
from qgdr_pyserini.model.teacher import Teacher


def load_teacher(checkpoint: str, **options: Any) -> Teacher:
    """Load a query generator from an encoder-decoder's checkpoint, a cross-encoder from any other.

    Parameters
    ----------
    checkpoint
        Hub name or folder.
    options
        Of the class's ``load``.

    Raises
    ------
    QgdrError
        If there is no such checkpoint or it cannot be loaded.
    """
    try:
        config = AutoConfig.from_pretrained(checkpoint)
    except Exception as error:
        reason = str(error).strip().splitlines()[0]
        raise QgdrError(f"{checkpoint}: no model to load ({reason})") from error
    kind = QueryGenerator if config.is_encoder_decoder else CrossEncoder
    return kind.load(ModelSource(checkpoint=checkpoint), **options)
