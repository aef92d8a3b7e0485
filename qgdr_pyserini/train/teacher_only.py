"""A recipe's stages up to the teacher."""

from __future__ import annotations

import contextlib
from pathlib import Path

from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.lock import only_writer
from qgdr_pyserini.train.first_student import first_student
from qgdr_pyserini.train.pipeline import RunOptions, check_languages, claim, iterate
from qgdr_pyserini.train.recipe_settings import Recipe
from qgdr_pyserini.train.stages import Stages
from qgdr_pyserini.train.training import processes
from qgdr_pyserini.train.training_data import read_training_data


def train_teacher(recipe: Recipe, data_folder: Path, output: Path, options: RunOptions) -> Path:
    """Run the stages of a recipe up to the one that completes its teacher.

    `qgdr_pyserini.train.pipeline.train_encoder`, told to resume, goes on from there.

    Parameters
    ----------
    recipe, data_folder, output, options
        As for `train_encoder`.

    Returns
    -------
    Path
        The teacher's folder.

    Raises
    ------
    QgdrError
        As `train_encoder` does, and if the recipe trains no teacher.
    """
    settings = recipe.teacher
    if settings is None or not (settings.translation or settings.generation or settings.ranking):
        raise QgdrError(f"recipe {recipe.name}: trains no teacher; leave --teacher-only out")
    if recipe.negatives.first == "bm25" and options.bm25 is None:
        raise QgdrError("negatives.first 'bm25' needs Pyserini; install it, or choose 'student' or 'given'")
    with only_writer(output) if processes().is_main_process else contextlib.nullcontext():
        if processes().is_main_process:
            claim(output, recipe, options.resume)
        processes().wait_for_everyone()
        data = read_training_data(data_folder, recipe.data, recipe.holdout)
        check_languages(recipe, data)
        say = options.say if processes().is_main_process else lambda line: None
        stages = Stages(output, options.reuse, say)
        student = first_student(recipe, data, stages)
        iterate(recipe.model_copy(update={"distillation": None}), data, student, stages, options.bm25)
    return stages.done[-1].model
