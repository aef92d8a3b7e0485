"""Where a teacher's weights come from, where a recipe says that it is built like the student."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from transformers import AutoConfig

from qgdr_pyserini.model.loading import ENCODER_DECODER, ModelSource
from qgdr_pyserini.train.recipe_settings import STUDENT

# A student's configuration also says what does not describe a teacher; ids are the tokenizer's.
_NOT_SIZES = {"architectures", "dtype", "transformers_version", "is_decoder", "add_cross_attention"}


def resolve_source(source: ModelSource, student: Path) -> ModelSource:
    """Put the student's tokenizer and configuration where ``student`` stands for them.

    Parameters
    ----------
    source
        As the recipe has it. In its configuration, or in an end of an encoder-decoder,
        ``model_type = "student"`` stands for the student's whole configuration; other keys override it.
    student
        Folder of the student's model.
    """
    if source.tokenizer != STUDENT:
        return source
    values = with_configuration(source.configuration, student / "config.json")
    return source.model_copy(update={"tokenizer": str(student), "configuration": values})


def with_configuration(values: dict[str, Any], file: Path) -> dict[str, Any]:
    """Put what a ``config.json`` says where ``model_type = "student"`` stands, one level deep too."""
    kind = values.get("model_type")
    if kind == ENCODER_DECODER:
        return {
            name: with_configuration(value, file) if isinstance(value, dict) else value
            for name, value in values.items()
        }
    if kind != STUDENT:
        return values
    theirs = json.loads(file.read_text(encoding="utf-8"))
    # Other versions of transformers wrote keys that this one does not know.
    known = AutoConfig.for_model(theirs["model_type"]).to_dict().keys() - _NOT_SIZES
    kept = {k: v for k, v in theirs.items() if k in known and not k.endswith("_token_id")}
    return {**kept, **values, "model_type": theirs["model_type"]}
