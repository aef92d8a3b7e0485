"""What the stages of one iteration have in common: run, number, and what is read of a question."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Sequence
from pathlib import Path

from qgdr_pyserini.collection.tevatron import CandidateList
from qgdr_pyserini.files import digest_files
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.teacher import Query
from qgdr_pyserini.train.data import TrainingData
from qgdr_pyserini.train.recipe import Recipe
from qgdr_pyserini.train.scores import KnownScores, as_it_is
from qgdr_pyserini.train.stages import Done, Stage, Stages
from qgdr_pyserini.train.teacher import TeacherRecipe
from qgdr_pyserini.train.trainer import processes
from qgdr_pyserini.train.twins import Twins, find_twins, reading_english, twins_come_from


class Reading:
    """Called with a row, tells what the teacher reads.

    Parameters
    ----------
    data
        Of the run; the twins are looked for when first needed.
    teacher
        None where the recipe has none.
    english
        Whether English twins are searched with, whatever the teacher reads.
    """

    def __init__(self, data: TrainingData, teacher: TeacherRecipe | None, english: bool = False) -> None:
        self._data = data
        self.english = english or (teacher is not None and teacher.reads == "english")
        self._files = [Path(teacher.translations)] if teacher and teacher.translations else []

    def __call__(self, row: CandidateList) -> Query:
        """Ask a row's question as it is, or its English twin where there is one."""
        return reading_english(self.twins, as_it_is)(row) if self.english else as_it_is(row)

    @functools.cached_property
    def twins(self) -> Twins:
        """The twins of the data's questions."""
        return find_twins(self._data, self._files)

    @functools.cached_property
    def fingerprint(self) -> str:
        """Digest of what is read, beside the questions themselves."""
        return f"{self.english} {digest_files(self._files)} {twins_come_from(self._data)}"

    def searched(self, rows: Sequence[CandidateList]) -> list[CandidateList]:
        """Ask what the teacher reads; questions without a passage in English, which retrieves best, if known.

        A question and its twins then have the same candidates, which a teacher that reads English scores
        once for all of them.
        """
        if all(row.positives for row in rows) and not self.english:
            return list(rows)
        return [
            dataclasses.replace(row, query=self.twins.english(row) or row.query)
            if self.english or not row.positives
            else row
            for row in rows
        ]

    def together(self, rows: Sequence[CandidateList]) -> list[CandidateList]:
        """Put rows that read alike side by side, those of a passage too: what they share is scored once."""
        if not self.english:
            return list(rows)
        return sorted(
            rows, key=lambda row: (row.candidates[0].passage.docid if row.candidates else "", self(row))
        )

    def known(self, rows: Iterable[CandidateList], scored: Iterable[CandidateList]) -> KnownScores:
        """Take the scores of rows that read as what they are aligned with: those of that question."""
        sources = {row.query_id: row for row in scored}
        return {
            (row.query_id, item.passage.docid): item.score
            for row in rows
            if (source := sources.get(row.aligned_with)) and self(row) == self(source)
            for item in source.candidates
            if item.score is not None
        }

    def counts(self, rows: Sequence[CandidateList]) -> dict[str, dict[str, int]]:
        """Count the questions that are read in English, by language, for a stage's record."""
        return {"read_in_english": self.twins.in_english(rows)} if self.english else {}


@dataclasses.dataclass(frozen=True, slots=True)
class StageContext:
    """The run that stages belong to, and the number of their iteration.

    Parameters
    ----------
    number
        Of the iteration; 0 comes before there is a teacher.
    recipe, data, stages
        Of the run.
    reading
        What all that searches or scores reads of a question.
    """

    number: int
    recipe: Recipe
    data: TrainingData
    stages: Stages
    reading: Reading

    def run(self, name: str, stage: Stage) -> Done:
        """Run a stage of this iteration unless it is complete; see `Stages.run`."""
        return self.stages.run(f"{self.number}-{name}", stage)


def load_student(student: Done) -> DualEncoder:
    """Load the student that a stage has made onto this process's device."""
    return DualEncoder.from_pretrained(student.model, str(processes().device))
