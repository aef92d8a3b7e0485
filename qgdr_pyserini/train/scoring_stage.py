"""The stages in which the teacher scores: ``N-check-teacher``, ``N-score``, ``N-score-generated``."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.collection.tevatron import CandidateList
from qgdr_pyserini.model.dual_encoder_teacher import DualEncoderTeacher
from qgdr_pyserini.model.teacher import Pair, Query, Scores, Teacher
from qgdr_pyserini.train.known_scores import KnownScores, read_scores, write_scores
from qgdr_pyserini.train.measuring import reranking_accuracy
from qgdr_pyserini.train.mining import retrieve
from qgdr_pyserini.train.negatives import mine_negatives
from qgdr_pyserini.train.parts import read_parts, write_parts
from qgdr_pyserini.train.stage_context import StageContext, load_student
from qgdr_pyserini.train.stage_rows import CHECKED, read_rows, write_rows
from qgdr_pyserini.train.stages import Done
from qgdr_pyserini.train.steps import score_rows
from qgdr_pyserini.train.teacher_recipe import TeacherRecipe
from qgdr_pyserini.train.teacher_stages import TeacherAt, load_for_scoring, scoring_values
from qgdr_pyserini.train.training import computing_in, processes
from qgdr_pyserini.train.training_data import digest_files

SCORES = "scores.tsv.gz"
"""File of a stage that scores: its scores without the texts."""


class LoadedWhenAsked(Teacher):
    """A recipe's teacher, loaded when it is first asked: gigabytes stay on disk where all scores are known.

    Parameters
    ----------
    teacher, settings
        As for `load_for_scoring`.
    """

    def __init__(self, teacher: TeacherAt, settings: TeacherRecipe) -> None:
        self._load = functools.cache(lambda: load_for_scoring(teacher, settings))

    def score_pairs(
        self, queries: Sequence[Query], passages: Sequence[Passage], pairs: Sequence[Pair]
    ) -> Scores:
        """Score some pairs; see `Teacher.score_pairs`."""
        return self._load().score_pairs(queries, passages, pairs)


class Scorer:
    """Lets the teacher score candidates, and is checked against the student on held-out queries.

    Parameters
    ----------
    context
        The run and the iteration.
    teacher
        None where the recipe has none: the student alone is checked then.
    """

    def __init__(self, context: StageContext, teacher: TeacherAt | None) -> None:
        self._context, self._teacher = context, teacher
        settings = context.recipe.teacher
        self._files = [Path(file) for file in settings.known_scores] if settings else []

    def check(self, student: Done) -> Done:
        """See how often student and teacher, if any, put the positives of held-out queries first."""
        context, settings = self._context, self._context.recipe.negatives

        def work(folder: Path) -> dict[str, Any]:
            scored = self._checked(student, folder)
            for name, found in scored.items():
                write_rows(folder, found, CHECKED.format(name))
            if "teacher" in scored and processes().is_main_process:
                write_scores(folder / SCORES, scored["teacher"])
            return {
                "queries": len(scored["student"]),
                "candidates": settings.negatives + 1,
                **{name: reranking_accuracy(found) for name, found in scored.items()},
            }

        # The rows themselves are kept, which they were not always.
        values = {
            "pool": context.recipe.data.pool,
            "kept": True,
            **settings.model_dump(),
            **context.reading.values,
            "teacher": scoring_values(self._teacher, context.recipe.teacher),
            **self._known_values,
        }
        builds_on = [student, *([self._teacher.stage] if self._teacher else [])]
        return context.run("check-teacher", values, builds_on, work)

    def score(self, name: str, candidates: Done, scored: Done | None = None) -> Done:
        """Score all candidates but those that the teacher has scored already.

        Parameters
        ----------
        name
            Of the stage.
        candidates
            The stage that wrote the queries.
        scored
            The stage that scored the queries that these are aligned with, if they are.
        """
        context, teacher = self._context, self._teacher
        settings, reading = context.recipe.teacher, context.reading
        assert teacher is not None
        assert settings is not None

        def work(folder: Path) -> dict[str, Any]:
            rows = reading.together(read_rows(candidates))
            model = LoadedWhenAsked(teacher, settings)
            known = {**self._known, **(reading.known(rows, read_rows(scored)) if scored else {})}

            def score(_: int, part: Sequence[CandidateList]) -> list[CandidateList]:
                return score_rows(part, model, reading, known)

            count = write_parts(folder, rows, score)
            if processes().is_main_process:
                write_scores(folder / SCORES, read_parts(folder))
            return {"queries": count, **reading.counts(rows)}

        values = scoring_values(teacher, settings) | reading.values | self._known_values
        builds_on = [candidates, teacher.stage, *([scored] if scored else [])]
        return context.run(name, values, builds_on, work)

    def _checked(self, student: Done, folder: Path) -> dict[str, list[CandidateList]]:
        """Score what the student finds for held-out queries, by the name of who scores."""
        recipe, data, reading = self._context.recipe, self._context.data, self._context.reading
        settings, encoder = recipe.negatives, load_student(student)
        count = settings.checked_queries
        rows = data.held_out[:: max(1, len(data.held_out) // count)][:count]
        with computing_in(settings.precision):
            found = retrieve(encoder, reading.searched(rows), data.pool, settings.depth, folder)
        mined = mine_negatives(rows, *found, settings)
        own = DualEncoderTeacher(encoder, precision=settings.precision)
        scored = {"student": score_rows(mined, own, reading)}
        if self._teacher is not None and recipe.teacher is not None:
            model = LoadedWhenAsked(self._teacher, recipe.teacher)
            scored["teacher"] = score_rows(mined, model, reading, self._known)
        return scored

    @property
    def _known_values(self) -> dict[str, Any]:
        return {"known": digest_files(self._files)} if self._files else {}

    @functools.cached_property
    def _known(self) -> KnownScores:
        return {pair: score for file in self._files for pair, score in read_scores(file).items()}
