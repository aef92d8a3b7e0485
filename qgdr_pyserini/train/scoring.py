"""The stages in which the teacher scores, and is checked."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.collection.tevatron import CandidateList
from qgdr_pyserini.model.teacher import Pair, Query, Scores, Teacher
from qgdr_pyserini.model.teachers import DualEncoderTeacher
from qgdr_pyserini.train.context import Reading, StageContext, load_student
from qgdr_pyserini.train.data import Corpus, Queries
from qgdr_pyserini.train.measure import reranking_accuracy
from qgdr_pyserini.train.mining import retrieve
from qgdr_pyserini.train.negatives import mine_negatives
from qgdr_pyserini.train.recipe import MiningSettings
from qgdr_pyserini.train.scores import ScoreFiles, score_rows, write_scores
from qgdr_pyserini.train.stages import (
    CHECKED,
    Done,
    Stage,
    read_parts,
    read_rows,
    write_parts,
    write_rows,
)
from qgdr_pyserini.train.teacher import ReadyTeacher
from qgdr_pyserini.train.trainer import computing_in, processes

SCORES = "scores.tsv.gz"
"""File of a stage that scores: its scores without the texts."""


class LoadedWhenAsked(Teacher):
    """A recipe's teacher, loaded when it is first asked: gigabytes stay on disk where all scores are known.

    Parameters
    ----------
    teacher
        What is loaded.
    """

    def __init__(self, teacher: ReadyTeacher) -> None:
        self._load = functools.cache(teacher.load)

    def score_pairs(
        self, queries: Sequence[Query], passages: Sequence[Passage], pairs: Sequence[Pair]
    ) -> Scores:
        """Score some pairs; see `Teacher.score_pairs`."""
        return self._load().score_pairs(queries, passages, pairs)


@dataclasses.dataclass(frozen=True)
class CheckTeacher(Stage):
    """See how often student and teacher, if any, put the positives of held-out queries first."""

    student: Done
    teacher: ReadyTeacher | None
    held_out: Queries
    pool: Corpus
    settings: MiningSettings
    reading: Reading
    known: ScoreFiles

    def work(self, folder: Path) -> dict[str, Any]:
        """Score what the student finds for them; the rows are kept, for weights to be fitted to."""
        scored = self._scored(folder)
        for name, rows in scored.items():
            write_rows(folder, rows, CHECKED.format(name))
        if "teacher" in scored and processes().is_main_process:
            write_scores(folder / SCORES, scored["teacher"])
        return {
            "queries": len(scored["student"]),
            "candidates": self.settings.negatives + 1,
            **{name: reranking_accuracy(rows) for name, rows in scored.items()},
        }

    def _scored(self, folder: Path) -> dict[str, list[CandidateList]]:
        """Score the student's candidates, by the name of who scores."""
        settings, encoder = self.settings, load_student(self.student)
        rows = self.held_out[:: max(1, len(self.held_out) // settings.checked_queries)]
        rows = rows[: settings.checked_queries]
        with computing_in(settings.precision):
            found = retrieve(encoder, self.reading.searched(rows), self.pool, settings.depth, folder)
        mined = mine_negatives(rows, *found, settings)
        own = DualEncoderTeacher(encoder, precision=settings.precision)
        scored = {"student": score_rows(mined, own, self.reading)}
        if self.teacher is not None:
            model = LoadedWhenAsked(self.teacher)
            scored["teacher"] = score_rows(mined, model, self.reading, self.known.scores)
        return scored


@dataclasses.dataclass(frozen=True)
class ScoreCandidates(Stage):
    """Let the teacher score candidates, but those that it has scored already.

    Parameters
    ----------
    teacher
        Scores.
    candidates
        The stage that wrote the queries.
    aligned_with
        The stage that scored the queries that these are aligned with, if they are.
    reading
        What is read of a question.
    known
        Scores that are kept in files.
    """

    teacher: ReadyTeacher
    candidates: Done
    aligned_with: Done | None
    reading: Reading
    known: ScoreFiles

    def work(self, folder: Path) -> dict[str, Any]:
        """Score, a part at a time, and keep the scores without the texts, too."""
        rows = self.reading.together(read_rows(self.candidates))
        model = LoadedWhenAsked(self.teacher)
        others = read_rows(self.aligned_with) if self.aligned_with else []
        known = {**self.known.scores, **self.reading.known(rows, others)}

        def score(_: int, part: Sequence[CandidateList]) -> list[CandidateList]:
            return score_rows(part, model, self.reading, known)

        count = write_parts(folder, rows, score)
        if processes().is_main_process:
            write_scores(folder / SCORES, read_parts(folder))
        return {"queries": count, **self.reading.counts(rows)}


class Scorer:
    """Runs the stages in which the teacher scores, and is checked against the student on held-out queries.

    Parameters
    ----------
    context
        The run and the iteration.
    teacher
        None where the recipe has none: the student alone is checked then.
    """

    def __init__(self, context: StageContext, teacher: ReadyTeacher | None) -> None:
        self._context, self._teacher = context, teacher
        self._known = ScoreFiles(teacher.settings.known_scores if teacher else ())

    def check(self, student: Done) -> Done:
        """See how often student and teacher, if any, put the positives of held-out queries first."""
        data, settings, reading = self._context.data, self._context.recipe.negatives, self._context.reading
        check = CheckTeacher(student, self._teacher, data.held_out, data.pool, settings, reading, self._known)
        return self._context.run("check-teacher", check)

    def score(self, name: str, candidates: Done, aligned_with: Done | None = None) -> Done:
        """Score all candidates; where there is no teacher, they stay as they are.

        Parameters
        ----------
        name
            Of the stage.
        candidates, aligned_with
            As for `ScoreCandidates`.
        """
        if self._teacher is None:
            return candidates
        reading = self._context.reading
        score = ScoreCandidates(self._teacher, candidates, aligned_with, reading, self._known)
        return self._context.run(name, score)
