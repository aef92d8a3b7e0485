"""A recipe's stages up to the teacher."""

from __future__ import annotations

from pathlib import Path

from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.train.first_student import first_student
from qgdr_pyserini.train.pipeline import RunOptions, begin, iterate
from qgdr_pyserini.train.recipe_settings import Recipe


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
    if settings is None or not (settings.generation or settings.ranking):
        raise QgdrError(f"recipe {recipe.name}: trains no teacher; leave --teacher-only out")
    with begin(recipe, data_folder, output, options) as (data, stages):
        student = first_student(recipe, data, stages)
        iterate(recipe.model_copy(update={"distillation": None}), data, student, stages, options)
    return stages.done[-1].model
