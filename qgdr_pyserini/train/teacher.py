"""The teacher: what a recipe says of it, and the stages that make it."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

import torch
from pydantic import Field, model_validator
from transformers import PreTrainedModel

from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.cross_encoder import CrossEncoder, CrossEncoderSettings
from qgdr_pyserini.model.loading import ModelSource
from qgdr_pyserini.model.precision import Precision
from qgdr_pyserini.model.query_generator import GeneratorSettings, QueryGenerator
from qgdr_pyserini.model.teachers import TrainableTeacher, load_teacher
from qgdr_pyserini.settings import Settings
from qgdr_pyserini.train.data import TrainingData
from qgdr_pyserini.train.selection import take_share
from qgdr_pyserini.train.stages import Done, Stages, read_rows, save_model
from qgdr_pyserini.train.teacher_training import (
    GENERATION,
    RANKING,
    GenerationLossSettings,
    RankingSettings,
    query_writings,
    train_ranker,
    train_writer,
)
from qgdr_pyserini.train.trainer import Log, processes

# What decides a teacher's scores before it is trained.
_START = {"kind", "source", "generator", "cross_encoder"}


class LoraSettings(Settings):
    """Low-rank adaptation (Hu et al. 2022), by the library peft.

    Parameters
    ----------
    rank
        Of what is added to a matrix.
    alpha
        What is added is weighed by alpha / rank.
    dropout
        Share of a matrix's inputs that its addition does not see in training.
    target_modules
        Names, or ends of names, of the layers that are added to; empty: all linear ones but the head.
    """

    rank: int = Field(default=16, ge=1)
    alpha: float = Field(default=32.0, gt=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    target_modules: list[str] = Field(default_factory=list)


def require_peft() -> None:
    """Raise a `QgdrError` that says how to install peft where it is not."""
    if importlib.util.find_spec("peft") is None:
        raise QgdrError("teacher.lora needs peft; pip install peft, or take 'lora' out")


def add_low_rank(model: PreTrainedModel, settings: LoraSettings, seed: int) -> Callable[[], Any]:
    """Freeze a model and add low-rank matrices that are trained instead.

    Parameters
    ----------
    model
        Changed in place.
    settings
        Of the additions.
    seed
        Of their random start, which adds nothing yet.

    Returns
    -------
    callable
        Adds what was learned to the model's own weights, so that it is an ordinary one again.

    Raises
    ------
    QgdrError
        If peft is not installed or the model has none of the layers.
    """
    require_peft()
    import peft

    config = peft.LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=settings.target_modules or "all-linear",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            adapted = peft.get_peft_model(model, config)
        except ValueError as error:
            names = ", ".join(settings.target_modules)
            raise QgdrError(f"teacher.lora.target_modules: the teacher has no layer {names}") from error
    merge: Callable[[], Any] = adapted.merge_and_unload
    return merge


@dataclasses.dataclass(frozen=True, slots=True)
class TeacherKind:
    """A kind of teacher that a recipe may name.

    Parameters
    ----------
    title
        What a model card calls it.
    model
        Its class.
    group
        The recipe's group of settings that say what goes into it.
    writes
        Whether it writes queries, and can be trained to.
    encodes
        Whether it is built of an encoder's layers and so may start from the student; its head is new then.
    """

    title: str
    model: type[TrainableTeacher]
    group: str
    writes: bool = False
    encodes: bool = False


KINDS = {
    "query-generator": TeacherKind("query generator", QueryGenerator, "generator", writes=True),
    "cross-encoder": TeacherKind("cross-encoder", CrossEncoder, "cross_encoder", encodes=True),
}


class TeacherRecipe(Settings):
    """The teacher, and how it is trained.

    Parameters
    ----------
    kind
        One of `KINDS`: ``query-generator`` or ``cross-encoder``.
    source
        A checkpoint; None where it starts from the student.
    from_student
        Start a cross-encoder from the student that the run begins with, under a head that is new.
    freeze_vectors
        Leave the subword vectors, and a head tied to them, as they are: of a large vocabulary, few
        queries show a small part, and most of a small model's weights are there.
    generator, cross_encoder
        What goes into the one or the other; where it is left out, what was saved with the checkpoint.
    lora
        Train low-rank additions to the matrices instead of all weights: large models fit into less memory.
        What is saved is an ordinary checkpoint. Needs peft (``pip install qgdr-pyserini[lora]``).
    generation
        Training to write queries, by the generation loss.
    ranking
        Training to tell positives from hard negatives, by the contrastive loss.
    reads
        ``english``: where a question has an English twin, this is what is scored, and the foreign question
        is taught by it; see `qgdr_pyserini.train.twins`.
    translations
        File of further English twins, language, question and English a line.
    known_scores
        Files of scores that this teacher has given already, of ``N-score`` or ``qgdr score
        --scores-output``; only the rest is computed.
    precision, batch_size
        While scoring and generating: of the model, and passages or pairs at a time.
    seed
        Of its training; the recipe's when None. With one of its own, runs of several students share
        one teacher.
    """

    kind: str
    source: ModelSource | None = None
    from_student: bool = False
    freeze_vectors: bool = False
    generator: GeneratorSettings = GeneratorSettings()
    cross_encoder: CrossEncoderSettings = CrossEncoderSettings()
    lora: LoraSettings | None = None
    generation: GenerationLossSettings | None = None
    ranking: RankingSettings | None = None
    reads: Literal["original", "english"] = "original"
    translations: str = ""
    known_scores: list[str] = Field(default_factory=list)
    precision: Precision = "fp32"
    batch_size: int = Field(default=32, ge=1)
    seed: int | None = None

    @model_validator(mode="after")
    def _stages_fit(self) -> Self:
        if self.kind not in KINDS:
            raise ValueError(f"no kind of teacher {self.kind!r}; known: {', '.join(KINDS)}")
        name = f"a {KINDS[self.kind].title}"
        if self.generation and not self.writes:
            raise ValueError(f"{name} writes no text; take 'generation' out")
        if self.from_student and not KINDS[self.kind].encodes:
            raise ValueError(f"{name} is no encoder; name its 'source', take 'from_student' out")
        if self.from_student == (self.source is not None):
            raise ValueError("a teacher starts from its 'source', or from the student; give one of the two")
        if self.lora and not self.writes:
            raise ValueError(f"'lora' is for query generators: the head of {name} is new; take it out")
        if self.translations and self.reads != "english":
            raise ValueError("'translations' is for a teacher that reads English; set reads = 'english'")
        return self

    @property
    def writes(self) -> bool:
        """Whether it writes queries."""
        return KINDS[self.kind].writes


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

    def stage(
        name: str, group: Any, train: Callable[[Any, Path], Log], builds_on: Sequence[Done | str]
    ) -> TeacherAt:
        before = teacher.source

        def work(folder: Path) -> dict[str, Any]:
            model = _load(settings, before, seed)
            if settings.freeze_vectors:
                # A head that is tied to them stays as it is, too.
                model.model.get_input_embeddings().weight.requires_grad_(False)
            merge = add_low_rank(model.model, settings.lora, seed) if settings.lora else None
            log = train(model, folder)
            if merge is not None:
                merge()
            save_model(model, folder)
            return {"log": log}

        done = stages.run(
            name, {"start": start, "seed": seed, **group.model_dump()}, [teacher.stage, *builds_on], work
        )
        return TeacherAt(ModelSource(checkpoint=str(done.model)), done, trained=True)

    if (writing := settings.generation) is not None:

        def write(model: QueryGenerator, folder: Path) -> Log:
            rows = query_writings(take_share(data.rows, writing.share), model)
            return train_writer(model, rows, writing, seed, folder)

        teacher = stage(GENERATION, writing, write, [data.digest])
    if (ranking := settings.ranking) is not None and mined is not None:

        def rank(model: TrainableTeacher, folder: Path) -> Log:
            return train_ranker(model, read_rows(mined), ranking, seed, folder)

        teacher = stage(RANKING, ranking, rank, [mined])
    return teacher


def load_for_scoring(teacher: TeacherAt, settings: TeacherRecipe) -> TrainableTeacher:
    """Load a trained teacher onto this process's device, in the precision that it scores in."""
    return load_teacher(
        teacher.source.checkpoint,
        kind=KINDS[settings.kind].model,
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


def _load(settings: TeacherRecipe, source: ModelSource, seed: int) -> TrainableTeacher:
    return KINDS[settings.kind].model.load(source, _given(settings), seed=seed)


def _given(settings: TeacherRecipe) -> Any:
    """Return what a recipe says of prompts and lengths; None where it leaves them to the checkpoint."""
    name = KINDS[settings.kind].group
    return getattr(settings, name) if name in settings.model_fields_set else None
