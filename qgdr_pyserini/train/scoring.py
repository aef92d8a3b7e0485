"""The stages that score: the teacher, dictionary BM25, and the sum of several scores."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.collection.tevatron import CandidateList, read_candidates
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.teacher import Pair, Query, Scores, Teacher
from qgdr_pyserini.model.teachers import DualEncoderTeacher, load_scorer
from qgdr_pyserini.train.combination import LEXICAL, OWN, CombinationSettings, combine, describe, fit, quality
from qgdr_pyserini.train.context import Reading, StageContext, load_student
from qgdr_pyserini.train.data import TrainingData, digest_files
from qgdr_pyserini.train.measure import reranking_accuracy
from qgdr_pyserini.train.mining import known_vectors, retrieve
from qgdr_pyserini.train.negatives import mine_negatives
from qgdr_pyserini.train.scores import KnownScores, read_scores, score_rows, with_scores, write_scores
from qgdr_pyserini.train.stages import CHECKED, Done, read_parts, read_rows, write_parts, write_rows
from qgdr_pyserini.train.teacher import TeacherAt, TeacherRecipe, load_for_scoring, scoring_values
from qgdr_pyserini.train.trainer import computing_in, processes

LexicalScorer = Callable[[Sequence[CandidateList], Iterable[Passage]], KnownScores]
"""Scores the candidates of queries by what they share with the questions' words, given all passages."""


SCORES = "scores.tsv.gz"
"""File of a stage that scores: its scores without the texts."""


class Lexical:
    """Dictionary BM25, of what the teacher reads, over all passages of a run.

    Parameters
    ----------
    scorer
        What scores.
    data
        Whose passages, those of articles held out among them, tell how rare a word is.
    reading
        What is read of a question.
    """

    def __init__(self, scorer: LexicalScorer | None, data: TrainingData, reading: Reading) -> None:
        assert scorer is not None
        self._scorer, self._data, self._reading = scorer, data, reading

    @property
    def values(self) -> dict[str, Any]:
        """What the scores follow from, beside the rows."""
        return {"files": self._data.files, **self._reading.values}

    def score(self, rows: Sequence[CandidateList]) -> KnownScores:
        """Score all candidates."""
        asked = [(row, self._reading(row)) for row in rows]
        read = [dataclasses.replace(row, query=one.text, lang=one.language) for row, one in asked]
        return self._scorer(read, self._passages())

    def _passages(self) -> Iterator[Passage]:
        seen: set[str] = set()
        for passage in itertools.chain(self._data.corpus(), self._data.pool()):
            if passage.docid not in seen:
                seen.add(passage.docid)
                yield passage


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
