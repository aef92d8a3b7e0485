"""The stages that make one teacher of several scores: ``N-weigh``, and ``N-combine`` for each set of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from qgdr_pyserini.collection.tevatron import CandidateList, read_candidates
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.dual_encoder_teacher import DualEncoderTeacher
from qgdr_pyserini.model.scorers import load_scorer
from qgdr_pyserini.model.teacher import Teacher
from qgdr_pyserini.train.combination import combine, describe, fit, quality
from qgdr_pyserini.train.combination_settings import LEXICAL, OWN, CombinationSettings
from qgdr_pyserini.train.known_scores import KnownScores
from qgdr_pyserini.train.lexical_score import Lexical
from qgdr_pyserini.train.mining_stage import known_vectors
from qgdr_pyserini.train.parts import write_parts
from qgdr_pyserini.train.stage_context import StageContext
from qgdr_pyserini.train.stage_rows import CHECKED, read_rows
from qgdr_pyserini.train.stages import Done
from qgdr_pyserini.train.steps import score_rows, with_scores
from qgdr_pyserini.train.training import processes


class Combiner:
    """Adds up the scores that a recipe's ``combination`` names.

    Parameters
    ----------
    context
        The run and the iteration; the recipe has ``combination``. Where it has no ``teacher``, other scores
        make one.
    student
        From the iteration before.
    encoded
        The student's vectors of all passages, if they are kept.
    checked
        The stage that scored held-out queries; None where nothing is held out.
    lexical
        Dictionary BM25, where it is one of the scores.
    """

    def __init__(
        self,
        context: StageContext,
        student: Done,
        encoded: Done | None,
        checked: Done | None,
        lexical: Lexical | None,
    ) -> None:
        assert context.recipe.combination is not None
        self._settings: CombinationSettings = context.recipe.combination
        self._context, self._lexical = context, lexical
        self._student, self._encoded, self._checked = student, encoded, checked
        self._scorers: dict[str, Teacher] = {}
        self._weighed = self._weigh()

    def combine(self, name: str, scored: Done) -> Done:
        """Write rows with the weighted sum for their scores.

        Parameters
        ----------
        name
            Of the stage.
        scored
            The stage that wrote them, scored by the teacher where there is one.
        """
        weights = self._weighed.record["weights"]

        def work(folder: Path) -> dict[str, Any]:
            found = read_rows(scored)
            lexical = self._lexical.score(found) if self._lexical else {}

            def add(_: int, rows: Sequence[CandidateList]) -> list[CandidateList]:
                known = {"teacher": rows} if self._context.recipe.teacher else {}
                return list(combine(self._parts(rows, known, lexical), weights))

            return {"queries": write_parts(folder, found, add)}

        builds_on = [scored, self._student, self._weighed]
        return self._context.run(name, self._values, builds_on, work)

    def _weigh(self) -> Done:
        def work(folder: Path) -> dict[str, Any]:
            parts = self._held_out(self._checked) if self._checked else {}
            weights = self._settings.weights or fit(parts)
            found = quality(parts, weights) if parts else {}
            for line in describe(weights, found):
                self._context.stages.say(f"{self._context.named('weigh')}: {line}")
            return {"weights": weights, **found}

        if self._checked is None and not self._settings.weights:
            raise QgdrError(
                "combination: nothing is held out to fit weights to; raise holdout, or give weights"
            )
        builds_on = [self._student, *([self._checked] if self._checked else [])]
        return self._context.run("weigh", self._values, builds_on, work)

    @property
    def _values(self) -> dict[str, Any]:
        lexical = self._lexical.values if self._lexical else {}
        return {**self._settings.model_dump(), **self._context.reading.values, **lexical}

    def _held_out(self, checked: Done) -> dict[str, Sequence[CandidateList]]:
        files = {name: checked.folder / CHECKED.format(name) for name in OWN}
        known = {name: list(read_candidates(file)) for name, file in files.items() if file.exists()}
        rows = known["student"]
        return self._parts(rows, known, self._lexical.score(rows) if self._lexical else {})

    def _parts(
        self,
        rows: Sequence[CandidateList],
        known: Mapping[str, Sequence[CandidateList]],
        lexical: KnownScores,
    ) -> dict[str, Sequence[CandidateList]]:
        """Score rows by everything that they are not known to be scored by; a teacher's own scores are."""
        reading = self._context.reading

        def scored(name: str) -> Sequence[CandidateList]:
            if name == LEXICAL:
                return [
                    with_scores(row, [lexical[row.query_id, c.passage.docid] for c in row.candidates])
                    for row in rows
                ]
            return known[name] if name in known else score_rows(rows, self._scorer(name), reading)

        return {name: scored(name) for name in self._settings.scores}

    def _scorer(self, name: str) -> Teacher:
        """Load what scores under a name; the student computes in the precision that it searches in."""
        teacher, precision = self._context.recipe.teacher, self._context.recipe.negatives.precision
        if name not in self._scorers:
            student = name == "student"
            self._scorers[name] = load_scorer(
                str(self._student.model) if student else self._settings.others[name],
                device=str(processes().device),
                precision=precision if student or not teacher else teacher.precision,
                **({"batch_size": teacher.batch_size} if teacher else {}),
            )
            scorer = self._scorers[name]
            if student and self._encoded and isinstance(scorer, DualEncoderTeacher):
                scorer.remember(*known_vectors(self._context, self._encoded))
        return self._scorers[name]
