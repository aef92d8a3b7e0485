"""The teacher: what a recipe says of it, and the stages that make it."""

from __future__ import annotations

import abc
import dataclasses
import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, Literal, Self, TypeVar

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
from qgdr_pyserini.train.data import Queries
from qgdr_pyserini.train.selection import take_share
from qgdr_pyserini.train.stages import Done, Means, Stage, Stages, read_rows, save_model
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

# Settings that do not matter to where its training begins, as if they were not given.
_UNTRAINED: dict[str, Any] = {
    "generation": None,
    "ranking": None,
    "reads": "original",
    "translations": "",
    "known_scores": [],
    "precision": "fp32",
    "batch_size": 32,
    "seed": None,
}

LossSettings = TypeVar("LossSettings", GenerationLossSettings, RankingSettings)


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


@dataclasses.dataclass(frozen=True, slots=True)
class ReadyTeacher:
    """A teacher that scores and writes.

    Parameters
    ----------
    settings
        Of the recipe.
    source
        Where its weights are.
    stage
        The stage that made them; None where they were there before the run.
    trained
        Whether that is a stage of its own, and not the student's.
    """

    settings: TeacherRecipe
    source: ModelSource
    stage: Done | None = None
    trained: bool = False

    @property
    def fingerprint(self) -> str:
        """What its scores follow from."""
        own = set() if self.trained else _START
        values = self.settings.model_dump(include={"precision", "batch_size"} | own)
        return json.dumps([values, self.stage.fingerprint if self.stage else ""], sort_keys=True)

    def load(self) -> TrainableTeacher:
        """Load it onto this process's device, in the precision that it scores in."""
        return load_teacher(
            self.source.checkpoint,
            kind=KINDS[self.settings.kind].model,
            settings=_given(self.settings),
            device=str(processes().device),
            precision=self.settings.precision,
            batch_size=self.settings.batch_size,
        )


@dataclasses.dataclass(frozen=True)
class TrainTeacher(Stage, Generic[LossSettings]):
    """Train a teacher by one of its losses.

    Parameters
    ----------
    start
        The recipe's settings without those of training.
    source
        The weights that are gone on from; ``before`` is the stage that made them, if one did.
    loss
        Settings of the loss.
    seed
        Of everything random.
    """

    start: TeacherRecipe
    before: Done | None
    loss: LossSettings
    seed: int
    source: Means[ModelSource]

    def work(self, folder: Path) -> dict[str, Any]:
        """Load the teacher, train it and save it."""
        model = KINDS[self.start.kind].model.load(self.source.value, _given(self.start), seed=self.seed)
        if self.start.freeze_vectors:
            # A head that is tied to them stays as it is, too.
            model.model.get_input_embeddings().weight.requires_grad_(False)
        merge = add_low_rank(model.model, self.start.lora, self.seed) if self.start.lora else None
        log = self.train(model, folder)
        if merge is not None:
            merge()
        save_model(model, folder)
        return {"log": log}

    @abc.abstractmethod
    def train(self, model: Any, folder: Path) -> Log:
        """Train the model in place."""


@dataclasses.dataclass(frozen=True)
class TrainWriter(TrainTeacher[GenerationLossSettings]):
    """Train a generator to write the queries of the data, by the generation loss."""

    queries: Queries

    def train(self, model: QueryGenerator, folder: Path) -> Log:
        """Train by the generation loss."""
        rows = query_writings(take_share(self.queries, self.loss.share), model)
        return train_writer(model, rows, self.loss, self.seed, folder)


@dataclasses.dataclass(frozen=True)
class TrainRanker(TrainTeacher[RankingSettings]):
    """Train a teacher to tell positives from hard negatives, by the contrastive loss."""

    mined: Done

    def train(self, model: TrainableTeacher, folder: Path) -> Log:
        """Train by the contrastive loss."""
        return train_ranker(model, read_rows(self.mined), self.loss, self.seed, folder)


def make_teacher(
    settings: TeacherRecipe,
    queries: Queries,
    student: Done,
    mined: Done | None,
    stages: Stages,
    seed: int,
) -> ReadyTeacher:
    """Train a teacher, stage by stage, as far as its settings have stages.

    Parameters
    ----------
    settings
        Of the teacher.
    queries
        What it learns to write.
    student
        Whose layers it may start with.
    mined
        The stage that mined hard negatives, for the ranking.
    stages
        Runs them.
    seed
        Of everything random.
    """
    start = settings.model_copy(update=_UNTRAINED)
    if settings.source is not None:
        teacher = ReadyTeacher(settings, settings.source)
    else:
        teacher = ReadyTeacher(settings, ModelSource(checkpoint=str(student.model)), student)
    if settings.generation is not None:
        source = Means(teacher.source)
        write = TrainWriter(start, teacher.stage, settings.generation, seed, source, queries)
        teacher = _trained(settings, stages.run(GENERATION, write))
    if settings.ranking is not None and mined is not None:
        source = Means(teacher.source)
        rank = TrainRanker(start, teacher.stage, settings.ranking, seed, source, mined)
        teacher = _trained(settings, stages.run(RANKING, rank))
    return teacher


def _trained(settings: TeacherRecipe, done: Done) -> ReadyTeacher:
    return ReadyTeacher(settings, ModelSource(checkpoint=str(done.model)), done, trained=True)


def _given(settings: TeacherRecipe) -> Any:
    """Return what a recipe says of prompts and lengths; None where it leaves them to the checkpoint."""
    name = KINDS[settings.kind].group
    return getattr(settings, name) if name in settings.model_fields_set else None
