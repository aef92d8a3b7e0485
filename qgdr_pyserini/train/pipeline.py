"""From a recipe and a training set to an encoder's folder, stage by stage."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from qgdr_pyserini.collection.training_set import TrainingSet, read_training_set
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.files import atomic_directory, atomic_text
from qgdr_pyserini.model.config import EncoderConfig
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.train.card import Training, write_card
from qgdr_pyserini.train.contrastive_stage import train_bag
from qgdr_pyserini.train.holdout import recall_by_language, split_by_article
from qgdr_pyserini.train.recipe import Recipe
from qgdr_pyserini.train.vocabulary import learn_vocabulary

_CUTOFF = 10


def train_encoder(recipe: Recipe, data_folder: Path, output: Path, *, resume: bool) -> Path:
    """Run every stage of a recipe that is not done yet.

    Parameters
    ----------
    recipe
        All settings.
    data_folder
        The training set.
    output
        A folder of its own for this run: ``vocabulary/``, ``contrastive/`` (checkpoints and
        logs), ``encoder/`` (the result).
    resume
        Go on with a run that stopped; without it, ``output`` must be new or empty.

    Returns
    -------
    Path
        The encoder's folder.

    Raises
    ------
    QgdrError
        If the data cannot be read, or ``output`` holds another run.
    """
    _claim(output, recipe, resume)
    data = read_training_set(data_folder)
    split = split_by_article(data, recipe.holdout)
    tokenizer = _vocabulary(recipe, split.training, output / "vocabulary")
    bag, log = train_bag(recipe, split.training, tokenizer, output / "contrastive")
    config = EncoderConfig(
        query_max_length=recipe.student.query_max_length,
        passage_max_length=recipe.student.passage_max_length,
    )
    target = output / "encoder"
    with atomic_directory(target, overwrite=resume) as folder:
        DualEncoder(bag.to_bert(), tokenizer, config).save_pretrained(folder, torch.float16)
        # What is measured is what was saved, rounding included.
        saved = DualEncoder.from_pretrained(folder)
        recall = recall_by_language(saved, data, split.held_out, _CUTOFF) if split.held_out else {}
        happened = Training(recipe, split.training, len(data.passages), log, split.held_out, recall, _CUTOFF)
        write_card(folder, happened)
    return target


def _claim(output: Path, recipe: Recipe, resume: bool) -> None:
    """Refuse a folder that holds another run, and mark it as this one's."""
    marker = output / "recipe.json"
    mine = recipe.model_dump_json(indent=2) + "\n"
    if not resume and output.exists() and any(output.iterdir()):
        raise QgdrError(f"{output}: is not empty; pass --resume to go on with that run, or name a new folder")
    if resume and marker.exists() and marker.read_text(encoding="utf-8") != mine:
        changed = _differing(json.loads(marker.read_text(encoding="utf-8")), json.loads(mine))
        raise QgdrError(f"{marker}: was begun with other settings ({changed}); name a new folder")
    with atomic_text(marker) as file:
        file.write(mine)


def _differing(before: object, now: object, name: str = "") -> str:
    """Name the first setting that differs."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in [*now, *before]:
            if before.get(key) != now.get(key):
                return _differing(before.get(key), now.get(key), f"{name}.{key}".lstrip("."))
    return f"{name}: {before!r} there, {now!r} here"


def _vocabulary(recipe: Recipe, data: TrainingSet, folder: Path) -> PreTrainedTokenizerFast:
    if not folder.exists():
        settings, longest = recipe.vocabulary, recipe.student.passage_max_length
        with atomic_directory(folder) as work:
            learn_vocabulary(
                data, settings.size, settings.lines_per_language, recipe.seed, longest
            ).save_pretrained(work)
    tokenizer: PreTrainedTokenizerFast = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    return tokenizer
