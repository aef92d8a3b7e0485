"""What a recipe would do, without doing it: stages, sizes, steps, estimated FLOPs and memory."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from transformers import AutoModel, PretrainedConfig

from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.loading import is_causal_type, load_config
from qgdr_pyserini.model.registry import find_own_encoder
from qgdr_pyserini.train.combination import CombinationSettings
from qgdr_pyserini.train.distillation import DistillationSettings
from qgdr_pyserini.train.recipe import Recipe
from qgdr_pyserini.train.teacher import TeacherRecipe
from qgdr_pyserini.train.teacher_training import GenerationLossSettings, RankingSettings
from qgdr_pyserini.train.trainer import TrainingSettings

_WEIGHT = 4  # bytes a parameter that is not trained; low-rank additions to it are small

_STATES = 4 * 4  # bytes a parameter: the weight, its gradient and AdamW's two moments, in fp32

_ACTIVATIONS = 34  # bytes a token, layer and dimension, about (Korthikanti et al. 2022, equation 2)

# What texts are taken to be long where their limit is not lower, in tokens.
_QUERY, _PASSAGE = 20, 160


class ModelSize(NamedTuple):
    """Numbers of parameters.

    Parameters
    ----------
    body
        Those that every token is multiplied with; of an encoder-decoder, its encoder's and
        decoder's together.
    embeddings
        Those that are looked up; of both ends where they are not tied.
    dimension, vocabulary
        Of the embeddings.
    two_ends
        Whether it is an encoder-decoder.
    """

    body: int
    embeddings: int
    dimension: int
    vocabulary: int
    two_ends: bool = False

    @property
    def parameters(self) -> int:
        """All of them."""
        return self.body + self.embeddings


# Of well-known checkpoints: a plan is no reason to reach for the hub.
_KNOWN = {
    "xlm-roberta-base": ModelSize(85_647_360, 192_396_288, 768, 250_002),
    "bert-base-multilingual-cased": ModelSize(85_646_592, 92_206_848, 768, 119_547),
    "sentence-transformers/all-MiniLM-L6-v2": ModelSize(10_992_768, 11_720_448, 384, 30_522),
    "intfloat/multilingual-e5-small": ModelSize(21_639_552, 96_014_208, 384, 250_037),
    "Qwen/Qwen2.5-Coder-0.5B-Instruct": ModelSize(357_898_112, 136_134_656, 896, 151_936),
    "google/mt5-small": ModelSize(44_088_192, 256_114_688, 512, 250_112, True),
    "google/mt5-base": ModelSize(198_229_248, 384_172_032, 768, 250_112, True),
    "google/mt5-large": ModelSize(717_351_936, 512_229_376, 1024, 250_112, True),
}


def checkpoint_size(name: str) -> ModelSize | None:
    """Size a checkpoint by its configuration; None where it cannot be had and is not known."""
    with contextlib.suppress(QgdrError):  # what is no encoder of ours may be any transformer
        name = str(find_own_encoder(name))
    if name in _KNOWN:
        return _KNOWN[name]
    try:
        return _size(load_config(name, local_files_only=True))
    except Exception:
        return None


def _size(config: PretrainedConfig) -> ModelSize:
    with torch.device("meta"):
        model = AutoModel.from_config(config)
    embedding = model.get_input_embeddings().weight
    vocabulary, dimension = embedding.shape
    total = sum(parameter.numel() for parameter in model.parameters())
    # An encoder has no second end, and a decoder's head is left out of what `AutoModel` makes.
    writes = config.is_encoder_decoder or is_causal_type(config.model_type)
    tied = not writes or config.tie_word_embeddings
    count = embedding.numel()
    ends = config.is_encoder_decoder
    return ModelSize(total - count, count * (1 if tied else 2), dimension, vocabulary, ends)


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """One stage: what it does, FLOPs (None: not known), bytes."""

    stage: str
    what: str
    flops: float | None = None
    memory: float | None = None


def describe(recipe: Recipe, data: Path | None = None) -> str:
    """List a recipe's stages.

    Parameters
    ----------
    recipe
        All settings.
    data
        The data; where it is None, work on all queries is given for a thousand of them.

    Returns
    -------
    str
        A table in Markdown, with a line before and after.
    """
    queries = _count(recipe, data)
    lines = list(_Plan(recipe, queries or 1000).lines())
    width = max(len(line.what) for line in lines)
    name = max(len(line.stage) for line in lines)
    rows = [
        f"| {one.stage:<{name}} | {one.what:<{width}} | {_flops(one.flops):>8} | {_bytes(one.memory):>8} |"
        for one in lines
    ]
    head = f"| {'stage':<{name}} | {'what':<{width}} | {'FLOPs':>8} | {'memory':>8} |"
    rule = f"|{'-' * (name + 2)}|{'-' * (width + 2)}|{'-' * 10}|{'-' * 10}|"
    known = [line.flops for line in lines if line.flops is not None]
    basis = f"{queries:,} queries" if queries else "work on all queries is given for each 1,000 of them"
    return "\n".join(
        [
            f"recipe {recipe.name}, seed {recipe.seed}: {recipe.description}",
            "",
            head,
            rule,
            *rows,
            "",
            f"Estimated, in all {_flops(sum(known))}FLOPs; {basis}; texts taken as {_QUERY} and {_PASSAGE} "
            "tokens or their limit; memory for weights, optimizer and activations.",
        ]
    )


class _Plan:
    def __init__(self, recipe: Recipe, queries: int) -> None:
        self._recipe, self._queries = recipe, queries
        student = recipe.student
        self._query = min(_QUERY, student.query_max_length)
        self._passage = min(_PASSAGE, student.passage_max_length)
        self._student = checkpoint_size(student.checkpoint)
        teacher = recipe.teacher
        start = teacher.source if teacher else None
        self._teacher = checkpoint_size(start.checkpoint) if start else self._student

    def lines(self) -> Iterator[Line]:
        """Go through the stages in their order."""
        recipe = self._recipe
        pruned = ", its vocabulary pruned" if recipe.student.prune else ""
        yield Line("student", f"from {recipe.student.checkpoint}{pruned}")
        if recipe.encodes_once:
            yield self._encode("1-encode")
        if recipe.mines_first:
            how = recipe.negatives.first if recipe.needs_negatives_first else "given"
            yield self._mine("0-mine", how, encoded=recipe.encodes_once)
        if recipe.warmup:
            yield from self._train_student("0-", "warmup", recipe.warmup)
        if recipe.teacher:
            yield from self._train_teacher(recipe.teacher)
        for number in range(1, recipe.iterations + 1) if recipe.distillation else ():
            yield from self._iteration(f"{number}-")
        size = self._student
        bytes_each = {"fp32": 4, "fp16": 2, "fp8": 1}[recipe.export]
        most = "at most " if recipe.student.prune else ""
        about = f"{most}{size.parameters:,} parameters, {size.dimension} dimensions, " if size else ""
        disk = (
            f"{most}{size.parameters * bytes_each / 2**20:,.0f} MiB on disk"
            if size
            else "size not known here"
        )
        yield Line("encoder", about + disk)

    def _iteration(self, prefix: str) -> Iterator[Line]:
        recipe = self._recipe
        settings = recipe.distillation
        assert settings is not None
        if settings.anchor and not (prefix == "1-" and recipe.encodes_once):
            yield self._encode(f"{prefix}encode")
        if prefix == "1-" and recipe.mines_once:
            yield Line(f"{prefix}mine", "those of 0-mine")
        else:
            how = "student" if settings.candidates > 1 else "given"
            yield self._mine(f"{prefix}mine", how, encoded=settings.anchor is not None)
        if recipe.holdout and (recipe.teacher or recipe.combination):
            who = "teacher and student re-rank" if recipe.teacher else "the student re-ranks"
            count = recipe.negatives.checked_queries
            yield Line(f"{prefix}check-teacher", f"{who} at most {count:,} held-out queries")
        if recipe.teacher:
            yield self._score(f"{prefix}score", self._queries * (recipe.negatives.negatives + 1))
        if recipe.aligns:
            yield from self._align(prefix)
        if recipe.combination:
            yield from self._combine(prefix, recipe.combination)
        yield from self._train_student(prefix, "distil", settings)

    def _align(self, prefix: str) -> Iterator[Line]:
        settings = self._recipe.generation
        if settings.writes:
            count = self._queries * (settings.languages_per_query or len(settings.languages)) * settings.n
            yield self._generate(f"{prefix}generate", count)
            yield self._score(f"{prefix}score-generated", count * (self._recipe.negatives.negatives + 1))
        else:
            most = settings.languages_per_query
            twins = f"twins, at most {most} a query," if most else "twins"
            languages = ", ".join(settings.languages) or "all languages"
            yield Line(f"{prefix}generate", f"{twins} in {languages}")
            if self._recipe.teacher:
                alike = "as their sources, which are the same in English: nothing to compute"
                what = alike if self._reads_english else "as many as there are"
                yield Line(f"{prefix}score-generated", what)

    def _combine(self, prefix: str, settings: CombinationSettings) -> Iterator[Line]:
        how = "given" if settings.weights else "fitted to held-out queries"
        yield Line(f"{prefix}weigh", f"weights of {', '.join(settings.scores)}: {how}")
        distillation = self._recipe.distillation
        anchored = distillation is not None and distillation.anchor is not None
        passages = "has encoded the passages" if anchored else "encodes all candidates"
        yield Line(f"{prefix}combine", f"their sum; the student {passages}")
        if self._recipe.aligns:
            yield Line(f"{prefix}combine-generated", "the same")

    def _encode(self, stage: str) -> Line:
        return Line(stage, "the student's vectors of all passages")

    def _mine(self, stage: str, how: str, *, encoded: bool = False) -> Line:
        recipe = self._recipe
        if how == "given":
            return Line(stage, "what the data gives; nothing is searched")
        what = f"{recipe.negatives.negatives} of the first {recipe.negatives.depth} by {how}"
        flops = 2.0 * self._student.body * self._queries * self._query if self._student else None
        encodes = how == "student" and not encoded
        return Line(stage, f"{what}; plus encoding the corpus" if encodes else what, flops)

    def _train_student(self, prefix: str, name: str, settings: DistillationSettings) -> Iterator[Line]:
        anchor, replay = settings.anchor, settings.replay
        questions = settings.batch_size * (2 if settings.alpha else 1)
        passages = anchor.passages if anchor else settings.batch_size * settings.candidates
        if replay:
            # With an anchor both of its texts are short: a translation and its English.
            questions += replay.batch_size * (2 if anchor else 1)
            passages += 0 if anchor else replay.batch_size
        tokens = questions * self._query + passages * self._passage
        weights = f"λ={settings.kd:g} α={settings.alpha:g} β={settings.beta:g}"
        standing = f"; passages stand still but {anchor.passages}" if anchor else ""
        what = f"{_steps(settings)} of {settings.candidates} candidates, {weights}{standing}"
        yield _training(f"{prefix}{name}", what, self._student, settings, tokens, 0)
        if settings.interpolation < 1:
            what = f"{settings.interpolation:g} of its weights, the rest of those before"
            yield Line(f"{prefix}interpolate", what)

    def _train_teacher(self, teacher: TeacherRecipe) -> Iterator[Line]:
        query = min(_QUERY, teacher.generator.query_max_length)
        passage = min(_PASSAGE, teacher.generator.passage_max_length)
        states = _STATES if teacher.lora is None else _WEIGHT
        if group := teacher.generation:
            targets = group.batch_size * query
            tokens = group.batch_size * passage + targets
            what = f"{_steps(group)}{_share(group)}"
            yield _training("teacher-generation", what, self._teacher, group, tokens, targets, states)
        if ranking := teacher.ranking:
            pairs = ranking.batch_size * ranking.candidates
            heads = pairs * query if teacher.writes else 0
            what = f"{_steps(ranking)} of {ranking.candidates} candidates{_share(ranking)}"
            tokens = pairs * (query + passage)
            yield _training("teacher-ranking", what, self._teacher, ranking, tokens, heads, states)

    @property
    def _reads_english(self) -> bool:
        return self._recipe.teacher is not None and self._recipe.teacher.reads == "english"

    def _score(self, stage: str, pairs: int) -> Line:
        # What is the same in English is scored once.
        most = "at most " if self._reads_english else ""
        return Line(stage, f"{most}{pairs:,} pairs", self._inference(pairs, pairs), self._loaded())

    def _generate(self, stage: str, count: int) -> Line:
        settings = self._recipe.generation
        languages = ", ".join(settings.languages)
        kept = ", those in their language" if settings.check_language else ""
        kept += f", those found in {settings.round_trip}" if settings.round_trip else ""
        return Line(
            stage, f"{count:,} queries in {languages}{kept}", self._inference(count, count), self._loaded()
        )

    def _inference(self, passages: int, targets: int) -> float | None:
        size, teacher = self._teacher, self._recipe.teacher
        if size is None or teacher is None:
            return None
        query, passage = self._query, self._passage
        if not teacher.writes:
            return 2.0 * size.body * passages * (query + passage)
        head = size.dimension * size.vocabulary
        # About half of an encoder-decoder's body is its encoder; a decoder reads the passage with all of it.
        body = size.body if size.two_ends else 2.0 * size.body
        return passages * body * passage + targets * query * (body + 2.0 * head)

    def _loaded(self) -> float | None:
        teacher = self._recipe.teacher
        each = 2 if teacher and teacher.precision == "bf16" else 4
        return float(self._teacher.parameters * each) if self._teacher else None


def _training(
    stage: str,
    what: str,
    size: ModelSize | None,
    settings: TrainingSettings,
    tokens: int,
    heads: int,
    states: int = _STATES,
) -> Line:
    """Estimate a training loop: ``tokens`` and, with a head over the vocabulary, ``heads`` an update."""
    if size is None:
        return Line(stage, what)
    head = size.dimension * size.vocabulary
    flops = settings.steps * (6.0 * (size.body * tokens + head * heads) + 12.0 * size.parameters)
    layers = size.body / (12 * size.dimension**2)
    once = 1 / settings.accumulation
    activations = once * (_ACTIVATIONS * tokens * layers * size.dimension + 8 * heads * size.vocabulary)
    return Line(stage, what, flops, size.parameters * states + activations)


def _steps(settings: TrainingSettings) -> str:
    return f"{settings.steps:,} steps of {settings.batch_size}"


def _share(settings: RankingSettings | GenerationLossSettings) -> str:
    return "" if settings.share == 1 else f", {settings.share:.0%} of the queries"


def _count(recipe: Recipe, data: Path | None) -> int | None:
    if data is None:
        return None
    from qgdr_pyserini.train.data import read_training_data

    return len(read_training_data(data, recipe.data, recipe.holdout).distilled)


def _flops(value: float | None) -> str:
    if not value:
        return ""
    for unit in ("M", "G", "T", "P", "E"):
        value /= 1000 if unit != "M" else 1e6
        if value < 1000:
            break
    return f"{value:.3g} {unit}"


def _bytes(value: float | None) -> str:
    return "" if value is None else f"{value / 2**30:.2g} GiB"
