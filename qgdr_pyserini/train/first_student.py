"""The student that a run begins with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.config import EncoderConfig
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.loading import ModelSource, load_tokenizer
from qgdr_pyserini.model.pruning import prune
from qgdr_pyserini.model.registry import find_own_encoder
from qgdr_pyserini.train.embedding_start import extend_vocabulary
from qgdr_pyserini.train.pretraining_stage import train_bag
from qgdr_pyserini.train.recipe import recipe_names
from qgdr_pyserini.train.recipe_settings import Recipe
from qgdr_pyserini.train.stages import Done, Stages
from qgdr_pyserini.train.teacher_stages import save_model
from qgdr_pyserini.train.training import processes
from qgdr_pyserini.train.training_data import TrainingData
from qgdr_pyserini.train.translation_stage import learn_translations
from qgdr_pyserini.train.vocabulary import learn_vocabulary

# Names of the rates in configurations of transformers: BERT and its kin, DistilBERT, T5.
_DROPOUTS = (
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    "dropout",
    "attention_dropout",
    "dropout_rate",
)


def first_student(recipe: Recipe, data: TrainingData, stages: Stages) -> Done:
    """Start from a checkpoint, from an English encoder, or from a bag of subword vectors.

    Parameters
    ----------
    recipe, data, stages
        Of the run.
    """
    if recipe.student.checkpoint:
        return stages.run("student", *_from_checkpoint(recipe, data))
    if recipe.student.english:
        return _taught_languages(recipe, data, stages)
    return _pretrained_bag(recipe, data, stages)


def _pretrained_bag(recipe: Recipe, data: TrainingData, stages: Stages) -> Done:
    student, pairs, seed = recipe.student, data.pairs, recipe.seed
    if not (recipe.pairs and recipe.pretraining and pairs):
        raise TypeError("the recipe was not checked")
    words = _vocabulary(recipe, data, stages)
    groups = (student, recipe.pairs, recipe.pretraining)

    def pretraining(folder: Path) -> dict[str, Any]:
        tokenizer = load_tokenizer(str(words.model))
        bag, log = train_bag(pairs, tokenizer, groups, seed, folder)
        save_model(DualEncoder(bag.to_bert(), tokenizer, _config(recipe)), folder)
        return {"log": log}

    values = {"seed": seed, "groups": [group.model_dump() for group in groups]}
    return stages.run("pretraining", values, [words, data.digest], pretraining)


def _taught_languages(recipe: Recipe, data: TrainingData, stages: Stages) -> Done:
    """Give an English encoder a multilingual vocabulary, and teach it what the words mean."""
    student, pairs, seed, chosen = recipe.student, data.pairs, recipe.seed, recipe.pairs
    start, translation = recipe.embedding_start, recipe.translation
    if not (chosen and translation and pairs):
        raise TypeError("the recipe was not checked")
    words = _vocabulary(recipe, data, stages)

    def extended(folder: Path) -> dict[str, Any]:
        if processes().is_main_process:
            tokenizer = load_tokenizer(str(words.model))
            encoder = extend_vocabulary(_english(recipe), tokenizer, pairs, start, stages.say)
            save_model(encoder, folder)
        return {"checkpoint": student.english}

    def taught(folder: Path) -> dict[str, Any]:
        encoder = DualEncoder.from_pretrained(before.model)
        groups = (chosen, translation)
        log = learn_translations(encoder, _english(recipe), pairs, groups, seed, folder)
        save_model(encoder, folder)
        return {"log": log}

    first = {"student": student.model_dump(), "start": start.model_dump()}
    before = stages.run("extension", first, [words, data.digest], extended)
    then = {"seed": seed, "pairs": chosen.model_dump(), "translation": translation.model_dump()}
    return stages.run("translation", then, [before], taught)


def _english(recipe: Recipe) -> DualEncoder:
    source = ModelSource(checkpoint=recipe.student.english)
    return DualEncoder.from_source(source, _config(recipe)).to_device(str(processes().device))


def _vocabulary(recipe: Recipe, data: TrainingData, stages: Stages) -> Done:
    settings, pairs, name = recipe.vocabulary, data.pairs, recipe.student.english
    if not (settings and pairs):
        raise TypeError("the recipe was not checked")

    def work(folder: Path) -> dict[str, Any]:
        if not processes().is_main_process:
            return {}
        english = load_tokenizer(name) if name else None
        longest = recipe.student.passage_max_length
        tokenizer = learn_vocabulary(pairs, settings, recipe.seed, longest, english)
        save_model(tokenizer, folder)
        return {"subwords": len(tokenizer)}

    values = {"seed": recipe.seed, "english": name, **settings.model_dump()}
    return stages.run("vocabulary", values, [data.digest], work)


def _from_checkpoint(
    recipe: Recipe, data: TrainingData
) -> tuple[dict[str, Any], list[str], Callable[[Path], dict[str, Any]]]:
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
    return student.model_dump(), [digest, *([data.digest] if student.prune else [])], start


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
