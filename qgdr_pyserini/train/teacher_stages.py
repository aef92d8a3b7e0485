"""The stages that make a teacher: the generation loss, the contrastive loss."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from qgdr_pyserini.files import atomic_directory
from qgdr_pyserini.model.cross_encoder import CrossEncoder
from qgdr_pyserini.model.loading import ModelSource
from qgdr_pyserini.model.query_generator import QueryGenerator
from qgdr_pyserini.model.teachers import TrainableTeacher, load_teacher
from qgdr_pyserini.train.generation_stage import query_writings, train_writer
from qgdr_pyserini.train.low_rank import add_low_rank
from qgdr_pyserini.train.ranking_stage import train_ranker
from qgdr_pyserini.train.shares import take_share
from qgdr_pyserini.train.stage_rows import read_rows
from qgdr_pyserini.train.stages import Done, Stages
from qgdr_pyserini.train.teacher_recipe import TeacherRecipe
from qgdr_pyserini.train.training import Log, processes
from qgdr_pyserini.train.training_data import TrainingData

_KINDS: dict[str, type[TrainableTeacher]] = {
    "cross-encoder": CrossEncoder,
    "query-generator": QueryGenerator,
}

# What decides a teacher's scores before it is trained.
_START = {"kind", "source", "generator", "cross_encoder"}


class TeacherAt(NamedTuple):
    """Where a teacher's weights are, the stage that made them, and whether that is one of its own."""

    source: ModelSource
    stage: Done
    trained: bool = False


def make_teacher(
    settings: TeacherRecipe,
    data: TrainingData,
    student: Done,
    mined: Done | None,
    stages: Stages,
    seed: int,
) -> TeacherAt:
    """Train a teacher, stage by stage, as far as its settings have stages.

    Parameters
    ----------
    settings
        Of the teacher.
    data
        What it learns from.
    student
        Whose layers it may start with.
    mined
        The stage that mined hard negatives, for the ranking.
    stages
        Runs them.
    seed
        Of everything random.
    """
    teacher = TeacherAt(settings.source or ModelSource(checkpoint=str(student.model)), student)
    start = settings.model_dump(include=_START | {"from_student", "freeze_vectors", "lora"})

    def stage(name: str, group: Any, rows: Any, builds_on: Sequence[Done | str]) -> TeacherAt:
        before = teacher.source

        def work(folder: Path) -> dict[str, Any]:
            model = _load(settings, before, seed)
            if settings.freeze_vectors:
                # A head that is tied to them stays as it is, too.
                model.model.get_input_embeddings().weight.requires_grad_(False)
            merge = add_low_rank(model.model, settings.lora, seed) if settings.lora else None
            log = _train(name, model, rows(model), group, seed, folder)
            if merge is not None:
                merge()
            save_model(model, folder)
            return {"log": log}

        done = stages.run(
            name, {"start": start, "seed": seed, **group.model_dump()}, [teacher.stage, *builds_on], work
        )
        return TeacherAt(ModelSource(checkpoint=str(done.model)), done, trained=True)

    if settings.generation is not None:
        share = settings.generation.share
        teacher = stage(
            "teacher-generation",
            settings.generation,
            lambda model: query_writings(take_share(data.rows, share), model),
            [data.digest],
        )
    if settings.ranking is not None and mined is not None:
        teacher = stage("teacher-ranking", settings.ranking, lambda model: read_rows(mined), [mined])
    return teacher


def load_for_scoring(teacher: TeacherAt, settings: TeacherRecipe) -> TrainableTeacher:
    """Load a trained teacher onto this process's device, in the precision that it scores in."""
    return load_teacher(
        teacher.source.checkpoint,
        kind=_KINDS[settings.kind],
        settings=_given(settings),
        device=str(processes().device),
        precision=settings.precision,
        batch_size=settings.batch_size,
    )


def scoring_values(teacher: TeacherAt | None, settings: TeacherRecipe | None) -> dict[str, Any]:
    """List the settings that what a teacher, if any, scores or writes depends on, but those of its stages."""
    if teacher is None or settings is None:
        return {}
    own = set() if teacher.trained else _START
    return settings.model_dump(include={"precision", "batch_size"} | own)


def save_model(model: Any, folder: Path) -> None:
    """Save ``folder/model``, whole or not at all, by one process."""
    if processes().is_main_process:
        with atomic_directory(folder / "model", overwrite=True) as work:
            model.save_pretrained(work)


def _load(settings: TeacherRecipe, source: ModelSource, seed: int) -> TrainableTeacher:
    return _KINDS[settings.kind].load(source, _given(settings), seed=seed)


def _given(settings: TeacherRecipe) -> Any:
    """Return what a recipe says of prompts and lengths; None where it leaves them to the checkpoint."""
    name = "cross_encoder" if settings.kind == "cross-encoder" else "generator"
    return getattr(settings, name) if name in settings.model_fields_set else None


def _train(name: str, model: TrainableTeacher, rows: Any, settings: Any, seed: int, folder: Path) -> Log:
    if name == "teacher-ranking":
        return train_ranker(model, rows, settings, seed, folder)
    assert isinstance(model, QueryGenerator)
    return train_writer(model, rows, settings, seed, folder)
