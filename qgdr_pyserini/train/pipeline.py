"""From a recipe and its data to an encoder's folder, stage by stage."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.files import atomic_directory, atomic_text
from qgdr_pyserini.lock import only_writer
from qgdr_pyserini.model.config import EncoderConfig
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.languages import language_name
from qgdr_pyserini.model.loading import ModelSource, load_tokenizer
from qgdr_pyserini.model.registry import find_encoder
from qgdr_pyserini.train.card import Training, write_card
from qgdr_pyserini.train.embedding_start import extend_vocabulary
from qgdr_pyserini.train.iteration import CUTOFF, Iteration, Ranker
from qgdr_pyserini.train.measuring import recall_by_language
from qgdr_pyserini.train.pretraining_stage import train_bag
from qgdr_pyserini.train.recipe_settings import Recipe
from qgdr_pyserini.train.stages import Done, Stages
from qgdr_pyserini.train.teacher_stages import TeacherAt, make_teacher, save_model
from qgdr_pyserini.train.training import processes
from qgdr_pyserini.train.training_data import TrainingData, read_training_data
from qgdr_pyserini.train.translation_stage import learn_translations
from qgdr_pyserini.train.vocabulary import learn_vocabulary

_EXPORTS = {"fp32": torch.float32, "fp16": torch.float16, "fp8": torch.float8_e4m3fn}


@dataclasses.dataclass(frozen=True, slots=True)
class RunOptions:
    """How a recipe is run.

    Parameters
    ----------
    resume
        Go on with a run that stopped; without it, the output folder must be new or empty.
    reuse
        Folders of other runs, whose complete stages stand for equal ones of this run.
    bm25
        Retrieves the first hard negatives where the recipe asks for BM25; None where it cannot.
    say
        Called with a line about each stage.
    """

    resume: bool = False
    reuse: Sequence[Path] = ()
    bm25: Ranker | None = None
    say: Callable[[str], object] = lambda line: None


def train_encoder(
    recipe: Recipe, data_folder: Path, output: Path, options: RunOptions = RunOptions()
) -> Path:
    """Run every stage of a recipe that is not done yet.

    Parameters
    ----------
    recipe
        All settings.
    data_folder
        What is learned from.
    output
        A folder of its own for this run: one folder a stage, and ``encoder/``, the result.
    options
        Resuming, reusing, reporting.

    Returns
    -------
    Path
        The encoder's folder.

    Raises
    ------
    QgdrError
        If the data cannot be read, ``output`` holds another run, or a stage fails in a way that a
        setting can mend.
    """
    if recipe.negatives.first == "bm25" and options.bm25 is None:
        raise QgdrError("negatives.first 'bm25' needs Pyserini; install it, or choose 'student' or 'given'")
    with only_writer(output) if processes().is_main_process else contextlib.nullcontext():
        return _run(recipe, data_folder, output, options)


def _run(recipe: Recipe, data_folder: Path, output: Path, options: RunOptions) -> Path:
    if processes().is_main_process:
        _claim(output, recipe, options.resume)
    processes().wait_for_everyone()
    data = read_training_data(data_folder, recipe.data, recipe.holdout)
    _check_languages(recipe, data)
    say = options.say if processes().is_main_process else lambda line: None
    stages = Stages(output, options.reuse, say)
    student = _first_student(recipe, data, stages)
    student = _iterations(recipe, data, student, stages, options.bm25)
    target = output / "encoder"
    if processes().is_main_process:
        _export(recipe, data, student, stages.done, target)
    processes().wait_for_everyone()
    return target


def _check_languages(recipe: Recipe, data: TrainingData) -> None:
    """Refuse languages that a generator's prompt has no name for, before hours of work."""
    if recipe.teacher is None or recipe.teacher.kind != "query-generator":
        return
    for row in data.rows:
        if not row.lang:
            raise QgdrError(f"query {row.query_id!r} has no language; give it a 'lang', or set data.language")
    pairs = [*data.pairs.questions, *data.pairs.sentences] if data.pairs else []
    used = {row.lang for row in pairs} if recipe.teacher.translation else set()
    for language in sorted({*used, *data.languages, *recipe.generation.languages}):
        language_name(language)


def _first_student(recipe: Recipe, data: TrainingData, stages: Stages) -> Done:
    """Start from a checkpoint, from an English encoder, or from a bag of subword vectors."""
    if recipe.student.checkpoint:
        return stages.run("student", *_from_checkpoint(recipe))
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


def _from_checkpoint(recipe: Recipe) -> tuple[dict[str, Any], list[str], Callable[[Path], dict[str, Any]]]:
    student = recipe.student
    try:
        known: Path | None = find_encoder(student.checkpoint)
    except QgdrError:
        known = None  # any other transformer

    def start(folder: Path) -> dict[str, Any]:
        if known is not None:
            encoder = DualEncoder.from_pretrained(known)
        else:
            source = ModelSource(checkpoint=student.checkpoint)
            encoder = DualEncoder.from_source(source, _config(recipe), seed=recipe.seed)
        save_model(encoder, folder)
        return {"checkpoint": student.checkpoint}

    digest = DualEncoder.from_pretrained(known).fingerprint if known is not None else ""
    return student.model_dump(), [digest], start


def _config(recipe: Recipe) -> EncoderConfig:
    student = recipe.student
    return EncoderConfig(
        pooling=student.pooling,
        normalize=student.normalize,
        query_max_length=student.query_max_length,
        passage_max_length=student.passage_max_length,
    )


def _iterations(
    recipe: Recipe, data: TrainingData, student: Done, stages: Stages, bm25: Ranker | None
) -> Done:
    """Warm the student up, train the teacher, and distil as often as the recipe says."""
    zero, first = Iteration(0, recipe, data, stages), recipe.negatives.first
    needs_negatives = recipe.warmup or (recipe.teacher and recipe.teacher.ranking)
    if needs_negatives:
        mined = zero.mine(student, bm25 if first == "bm25" else None, given=first == "given")
    if recipe.warmup:
        student = zero.train_student("warmup", recipe.warmup, student, mined)
    teacher: TeacherAt | None = None
    if recipe.teacher:
        negatives = mined if recipe.teacher.ranking else None
        seed = recipe.seed if recipe.teacher.seed is None else recipe.teacher.seed
        teacher = make_teacher(recipe.teacher, data, student, negatives, stages, seed)
    if recipe.distillation:
        for number in range(1, recipe.iterations + 1):
            student = _iteration(Iteration(number, recipe, data, stages), recipe, data, student, teacher)
    return student


def _iteration(
    iteration: Iteration, recipe: Recipe, data: TrainingData, student: Done, teacher: TeacherAt | None
) -> Done:
    settings = recipe.distillation
    assert settings is not None
    candidates = iteration.mine(student)
    if teacher is None:
        return iteration.train_student("distil", settings, student, candidates)
    if data.held_out:
        iteration.check_teacher(student, teacher)
    scored, generated = iteration.score("score", candidates, teacher), None
    if recipe.aligns:
        generated = iteration.score("score-generated", iteration.generate(candidates, teacher), teacher)
    return iteration.train_student("distil", settings, student, scored, generated)


def _export(recipe: Recipe, data: TrainingData, student: Done, done: Sequence[Done], target: Path) -> None:
    with atomic_directory(target, overwrite=True) as folder:
        DualEncoder.from_pretrained(student.model).save_pretrained(folder, _EXPORTS[recipe.export])
        # What is measured is what was saved, rounding included.
        saved = DualEncoder.from_pretrained(folder)
        recall = recall_by_language(saved, data.held_out, data.pool(), CUTOFF) if data.held_out else {}
        write_card(folder, Training(recipe, data, saved, done, recall, CUTOFF))


def _claim(output: Path, recipe: Recipe, resume: bool) -> None:
    """Refuse a folder that holds another run, and mark it as this one's."""
    marker = output / "recipe.json"
    mine = recipe.model_dump_json(indent=2) + "\n"
    if output.exists() and not output.is_dir():
        raise QgdrError(f"{output}: is a file; name a folder")
    if not resume and output.exists() and any(output.iterdir()):
        raise QgdrError(f"{output}: is not empty; pass --resume to go on with that run, or name a new folder")
    if resume and not marker.exists() and output.exists() and any(output.iterdir()):
        raise QgdrError(f"{output}: holds no training run; name a new folder")
    if marker.exists() and marker.read_text(encoding="utf-8") != mine:
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
