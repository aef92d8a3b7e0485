"""From a recipe and its data to an encoder's folder, stage by stage."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.files import atomic_directory, atomic_text, read_json
from qgdr_pyserini.lock import only_writer
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.precision import ON_DISK
from qgdr_pyserini.model.prompt import language_name
from qgdr_pyserini.train.aligned_queries import AlignQueries
from qgdr_pyserini.train.card import Training, write_card
from qgdr_pyserini.train.context import Reading, StageContext
from qgdr_pyserini.train.data import TrainingData, read_training_data
from qgdr_pyserini.train.distillation import DistillationSettings
from qgdr_pyserini.train.measure import CUTOFF, DevSet
from qgdr_pyserini.train.mining import Miner, Ranker
from qgdr_pyserini.train.recipe import Recipe
from qgdr_pyserini.train.score_sums import Combiner, Lexical, LexicalScorer
from qgdr_pyserini.train.scoring import Scorer
from qgdr_pyserini.train.stages import Done, Stages
from qgdr_pyserini.train.student import first_student, train_student
from qgdr_pyserini.train.teacher import ReadyTeacher, make_teacher, require_peft
from qgdr_pyserini.train.trainer import processes

_ABSENT = "no such setting"


class Iteration:
    """The order of an iteration's stages, which are named ``NUMBER-…``.

    Parameters
    ----------
    context
        The run, and which iteration it is.
    settings
        The recipe's ``distillation``.
    bm25_scorer
        Scores by dictionary BM25, where ``combination`` asks for it; None elsewhere.
    """

    def __init__(
        self, context: StageContext, settings: DistillationSettings, bm25_scorer: LexicalScorer | None = None
    ) -> None:
        self._context, self._settings, self._bm25_scorer = context, settings, bm25_scorer

    def run(
        self, student: Done, teacher: ReadyTeacher | None, mined: Done | None, encoded: Done | None = None
    ) -> Done:
        """Go through the iteration.

        Parameters
        ----------
        student
            From the iteration before.
        teacher
            None where the recipe has none.
        mined
            What this student has mined for all queries already; None if it has to mine.
        encoded
            Its vectors of all passages, if they are there already.

        Returns
        -------
        Done
            The new student.
        """
        context, miner = self._context, Miner(self._context)
        if self._settings.anchor and encoded is None:
            encoded = miner.encode(student)
        if mined is not None:
            rows = miner.take(mined)
        elif self._settings.candidates == 1:  # there is nothing to mine
            rows = miner.keep_given()
        else:
            rows = miner.mine(student, encoded)
        generated = None
        if teacher is not None or context.recipe.combination is not None:
            rows, generated = self._scored(student, teacher, rows, encoded)
        return train_student(context, "distil", self._settings, student, rows, generated, encoded)

    def _scored(
        self, student: Done, teacher: ReadyTeacher | None, mined: Done, encoded: Done | None
    ) -> tuple[Done, Done | None]:
        """Score candidates, and queries to align with theirs where the recipe aligns."""
        context, combination = self._context, self._context.recipe.combination
        scorer = Scorer(context, teacher)
        checked = scorer.check(student) if context.data.held_out else None
        scored = scorer.score("score", mined)
        generated = self._aligned(student, teacher, mined) if context.recipe.aligns else None
        if generated:
            generated = scorer.score("score-generated", generated, scored)
        if combination is None:
            return scored, generated
        combiner = Combiner(context, combination, student, teacher, encoded, checked, self._lexical())
        scored = combiner.combine("combine", scored)
        return scored, combiner.combine("combine-generated", generated) if generated else None

    def _aligned(self, student: Done, teacher: ReadyTeacher | None, mined: Done) -> Done:
        data, recipe, reading = self._context.data, self._context.recipe, self._context.reading
        settings = recipe.generation
        writer = teacher if settings.writes else None
        searching = student if settings.round_trip else None
        align = AlignQueries(mined, writer, searching, data.corpus, settings, recipe.seed, reading)
        return self._context.run("generate", align)

    def _lexical(self) -> Lexical | None:
        data, reading = self._context.data, self._context.reading
        return Lexical(self._bm25_scorer, data, reading) if self._bm25_scorer else None


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
    bm25_scorer
        Scores candidates by dictionary BM25, likewise.
    say
        Called with a line about each stage.
    """

    resume: bool = False
    reuse: Sequence[Path] = ()
    bm25: Ranker | None = None
    bm25_scorer: LexicalScorer | None = None
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
    with begin(recipe, data_folder, output, options) as (data, stages):
        student = first_student(recipe, data, stages)
        student = iterate(recipe, data, student, stages, options)
        target = output / "encoder"
        if processes().is_main_process:
            _export(recipe, data, student, stages.done, target)
        processes().wait_for_everyone()
    return target


@contextlib.contextmanager
def begin(
    recipe: Recipe, data_folder: Path, output: Path, options: RunOptions
) -> Iterator[tuple[TrainingData, Stages]]:
    """Claim a run's folder, lock it, and read and check the data.

    Parameters
    ----------
    recipe, data_folder, output, options
        As for `train_encoder`, which also tells the errors.

    Yields
    ------
    tuple
        The data, and what runs stages.
    """
    if recipe.negatives.first == "bm25" and options.bm25 is None:
        raise QgdrError("negatives.first 'bm25' needs Pyserini; install it, or choose 'student' or 'given'")
    if recipe.teacher is not None and recipe.teacher.lora:
        require_peft()
    if recipe.adds_bm25 and options.bm25_scorer is None:
        raise QgdrError("combination: 'bm25-lexicon' needs Pyserini; install it, or take it out of 'scores'")
    main = processes().is_main_process
    with only_writer(output) if main else contextlib.nullcontext():
        if main:
            _claim(output, recipe, options.resume)
        processes().wait_for_everyone()
        data = read_training_data(data_folder, recipe.data, recipe.holdout)
        _check_languages(recipe, data)
        yield data, Stages(output, options.reuse, options.say if main else lambda line: None)


def _check_languages(recipe: Recipe, data: TrainingData) -> None:
    """Refuse languages that a generator's prompt has no name for, before hours of work."""
    if recipe.teacher is None or not recipe.teacher.writes:
        return
    for row in data.rows:
        if not row.lang:
            raise QgdrError(f"query {row.query_id!r} has no language; give it a 'lang', or set data.language")
    twins = data.pairs is not None and recipe.aligns and recipe.generation.has_twins
    used = {row.lang for row in data.pairs.questions} if data.pairs and twins else set()
    for language in sorted({*used, *data.languages, *recipe.generation.languages}):
        language_name(language)


def iterate(recipe: Recipe, data: TrainingData, student: Done, stages: Stages, options: RunOptions) -> Done:
    """Warm the student up, train the teacher, and distil as often as the recipe says."""
    zero = StageContext(0, recipe, data, stages, Reading(data, recipe.teacher, recipe.negatives.english))
    encoded = Miner(dataclasses.replace(zero, number=1)).encode(student) if recipe.encodes_once else None
    mined = _mined_first(zero, student, encoded, options.bm25) if recipe.mines_first else None
    if recipe.warmup and mined:
        student = train_student(zero, "warmup", recipe.warmup, student, mined)
    teacher: ReadyTeacher | None = None
    if recipe.teacher:
        seed = recipe.seed if recipe.teacher.seed is None else recipe.teacher.seed
        teacher = make_teacher(recipe.teacher, data.rows, student, mined, stages, seed)
    if recipe.distillation:
        bm25_scorer = options.bm25_scorer if recipe.adds_bm25 else None
        for number in range(1, recipe.iterations + 1):
            known = mined if number == 1 and recipe.mines_once else None
            iteration = Iteration(dataclasses.replace(zero, number=number), recipe.distillation, bm25_scorer)
            student = iteration.run(student, teacher, known, encoded if number == 1 else None)
    return student


def _mined_first(context: StageContext, student: Done, encoded: Done | None, bm25: Ranker | None) -> Done:
    """Give all queries the negatives that warm-up and teacher learn from."""
    recipe, miner = context.recipe, Miner(context)
    if recipe.negatives.first == "given" or not recipe.needs_negatives_first:
        return miner.keep_given()
    if recipe.negatives.first == "bm25" and bm25 is not None:
        return miner.mine_lexically(bm25)
    return miner.mine(student, encoded)


def _export(recipe: Recipe, data: TrainingData, student: Done, done: Sequence[Done], target: Path) -> None:
    with atomic_directory(target, overwrite=True) as folder:
        DualEncoder.from_pretrained(student.model).save_pretrained(folder, ON_DISK[recipe.export])
        # What is measured is what was saved, rounding included.
        saved = DualEncoder.from_pretrained(folder)
        dev = DevSet(data.held_out, data.pool, recipe.negatives.precision)
        recall = dev.recall(saved) if data.held_out else {}
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
    if marker.exists() and marker.read_bytes() != mine.encode():
        changed = _differing(read_json(marker), json.loads(mine))
        raise QgdrError(f"{marker}: was begun with other settings ({changed}); name a new folder")
    with atomic_text(marker) as file:
        file.write(mine)


def _differing(before: object, now: object, name: str = "") -> str:
    """Name the first setting that differs."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in [*now, *before]:
            # A setting that another version did not have may stand there as null.
            ours, theirs = now.get(key, _ABSENT), before.get(key, _ABSENT)
            if ours != theirs:
                return _differing(theirs, ours, f"{name}.{key}".lstrip("."))
    return f"{name}: {before!r} there, {now!r} here"


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
