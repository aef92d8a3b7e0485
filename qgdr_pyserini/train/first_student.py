"""The student that a run begins with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.config import EncoderConfig
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.loading import ModelSource
from qgdr_pyserini.model.pruning import prune
from qgdr_pyserini.model.registry import find_own_encoder
from qgdr_pyserini.train.recipe import recipe_names
from qgdr_pyserini.train.recipe_settings import Recipe
from qgdr_pyserini.train.stages import Done, Stages
from qgdr_pyserini.train.teacher_stages import save_model
from qgdr_pyserini.train.training_data import TrainingData

# Names of the rates in configurations of transformers: BERT and its kin, DistilBERT, T5.
_DROPOUTS = (
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    "dropout",
    "attention_dropout",
    "dropout_rate",
)


def first_student(recipe: Recipe, data: TrainingData, stages: Stages) -> Done:
    """Start from a checkpoint: prune its vocabulary, set its dropout and its prefixes.

    Parameters
    ----------
    recipe, data, stages
        Of the run.

    Raises
    ------
    QgdrError
        If the checkpoint cannot be loaded, or is the name of a recipe that nobody has trained here.
    """
    student = recipe.student
    try:
        known: Path | None = find_own_encoder(student.checkpoint)
    except QgdrError:
        if student.checkpoint in recipe_names():
            raise QgdrError(_untrained(student.checkpoint)) from None
        known = None  # any other transformer

    def start(folder: Path) -> dict[str, Any]:
        if known is not None:
            encoder = DualEncoder.from_pretrained(known)
        else:
            source = ModelSource(checkpoint=student.checkpoint)
            encoder = DualEncoder.from_source(source, _config(recipe), seed=recipe.seed)
        if student.prune is not None:
            encoder = prune(encoder, data.texts(), student.prune)
        if student.dropout is not None:
            _set_dropout(encoder, student.dropout)
        save_model(encoder, folder)
        return {"checkpoint": student.checkpoint, "subwords": len(encoder.tokenizer)}

    digest = DualEncoder.from_pretrained(known).fingerprint if known is not None else ""
    builds_on = [digest, *([data.digest] if student.prune else [])]
    return stages.run("student", student, builds_on, start)


def _set_dropout(encoder: DualEncoder, rate: float) -> None:
    """Write a rate into the model's configuration, under whatever names its family has for it."""
    config = encoder.model.config
    for name in config.to_dict():
        if name in _DROPOUTS:
            setattr(config, name, rate)


def _untrained(name: str) -> str:
    return (
        f"encoder {name!r} has a recipe here and no weights; train it with 'qgdr train {name}' "
        "and pass --set student.checkpoint=DIR with its folder"
    )


def _config(recipe: Recipe) -> EncoderConfig:
    student = recipe.student
    return EncoderConfig(
        pooling=student.pooling,
        normalize=student.normalize,
        query_prefix=student.query_prefix,
        passage_prefix=student.passage_prefix,
        query_max_length=student.query_max_length,
        passage_max_length=student.passage_max_length,
    )
