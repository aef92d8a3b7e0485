"""The stages that add up several scores: the student's, the teacher's, those of dictionary BM25."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.collection.tevatron import CandidateList, read_candidates
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.precision import Precision
from qgdr_pyserini.model.teacher import Teacher
from qgdr_pyserini.model.teachers import DualEncoderTeacher, load_scorer
from qgdr_pyserini.train.combination import LEXICAL, OWN, CombinationSettings, combine, describe, fit, quality
from qgdr_pyserini.train.context import Reading, StageContext
from qgdr_pyserini.train.data import Corpus, TrainingData
from qgdr_pyserini.train.mining import known_vectors
from qgdr_pyserini.train.scores import KnownScores, score_rows, with_scores
from qgdr_pyserini.train.stages import (
    CHECKED,
    Done,
    Means,
    Stage,
    read_rows,
    stands_for,
    write_parts,
)
from qgdr_pyserini.train.teacher import ReadyTeacher
from qgdr_pyserini.train.trainer import processes

LexicalScorer = Callable[[Sequence[CandidateList], Iterable[Passage]], KnownScores]
"""Scores the candidates of queries by what they share with the questions' words, given all passages."""


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

    def __init__(self, scorer: LexicalScorer, data: TrainingData, reading: Reading) -> None:
        self._scorer, self._data, self._reading = scorer, data, reading

    @property
    def fingerprint(self) -> str:
        """What the scores follow from, beside the rows."""
        corpus, pool = self._data.corpus.fingerprint, self._data.pool.fingerprint
        return f"{self._data.files} {corpus} {pool} {self._reading.fingerprint}"

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


class PartScorer:
    """Scores rows by everything that a combination adds up.

    Parameters
    ----------
    settings
        Which scores.
    student
        Of the iteration before.
    teacher
        The recipe's, whose own scores are known; None where it has none.
    precision
        Of the student.
    reading
        What is read of a question.
    lexical
        Dictionary BM25, where it is one of the scores.
    corpus, encoded
        All passages, and the student's vectors of them, if they are kept.
    """

    def __init__(
        self,
        settings: CombinationSettings,
        student: Done,
        teacher: ReadyTeacher | None,
        precision: Precision,
        reading: Reading,
        lexical: Lexical | None,
        corpus: Corpus,
        encoded: Done | None,
    ) -> None:
        self.settings, self._student, self._teacher, self._precision = settings, student, teacher, precision
        self._reading, self._lexical, self._corpus, self._encoded = reading, lexical, corpus, encoded
        self._scorer = functools.cache(self._load)

    @property
    def fingerprint(self) -> str:
        """What the scores follow from, beside the rows and those that are known."""
        found = [self.settings, self._student, self._teacher, self._precision, self._reading, self._lexical]
        return json.dumps(stands_for(found), sort_keys=True)

    def lexical(self, rows: Sequence[CandidateList]) -> KnownScores:
        """Score rows by dictionary BM25, where it is one of the scores."""
        return self._lexical.score(rows) if self._lexical else {}

    def parts(
        self,
        rows: Sequence[CandidateList],
        known: Mapping[str, Sequence[CandidateList]],
        lexical: KnownScores,
    ) -> dict[str, Sequence[CandidateList]]:
        """Score rows by everything that they are not known to be scored by.

        Parameters
        ----------
        rows
            Queries with candidates.
        known
            The same with scores, by the name of who scored.
        lexical
            What `lexical` gave for them.
        """

        def scored(name: str) -> Sequence[CandidateList]:
            if name == LEXICAL:
                return [
                    with_scores(row, [lexical[row.query_id, c.passage.docid] for c in row.candidates])
                    for row in rows
                ]
            return known[name] if name in known else score_rows(rows, self._scorer(name), self._reading)

        return {name: scored(name) for name in self.settings.scores}

    def _load(self, name: str) -> Teacher:
        """Load what scores under a name; the student computes in the precision that it searches in."""
        student, teacher = name == "student", self._teacher.settings if self._teacher else None
        scorer = load_scorer(
            str(self._student.model) if student else self.settings.others[name],
            device=str(processes().device),
            precision=self._precision if student or not teacher else teacher.precision,
            **({"batch_size": teacher.batch_size} if teacher else {}),
        )
        if student and self._encoded and isinstance(scorer, DualEncoderTeacher):
            scorer.remember(*known_vectors(self._corpus, self._encoded))
        return scorer


@dataclasses.dataclass(frozen=True)
class WeighScores(Stage):
    """Fit the weights of a sum to held-out queries, unless the settings give them."""

    scorer: PartScorer
    checked: Done | None
    say: Means[Callable[[str], object]]

    def work(self, folder: Path) -> dict[str, Any]:
        """Fit, and tell how good the sum is."""
        parts = self._held_out(self.checked) if self.checked else {}
        weights = self.scorer.settings.weights or fit(parts)
        found = quality(parts, weights) if parts else {}
        for line in describe(weights, found):
            self.say.value(f"{folder.name}: {line}")
        return {"weights": weights, **found}

    def _held_out(self, checked: Done) -> dict[str, Sequence[CandidateList]]:
        files = {name: checked.folder / CHECKED.format(name) for name in OWN}
        known = {name: list(read_candidates(file)) for name, file in files.items() if file.exists()}
        return self.scorer.parts(known["student"], known, self.scorer.lexical(known["student"]))


@dataclasses.dataclass(frozen=True)
class CombineScores(Stage):
    """Write rows with the weighted sum for their scores.

    Parameters
    ----------
    scorer
        Gives the scores that are added up.
    scored
        The stage that wrote the rows, scored by the teacher where there is one.
    taught
        Whether there is one.
    weighed
        The stage that found the weights.
    """

    scorer: PartScorer
    scored: Done
    taught: bool
    weighed: Done

    def work(self, folder: Path) -> dict[str, Any]:
        """Add up, a part at a time."""
        found = read_rows(self.scored)
        lexical = self.scorer.lexical(found)

        def add(_: int, rows: Sequence[CandidateList]) -> list[CandidateList]:
            known = {"teacher": rows} if self.taught else {}
            parts = self.scorer.parts(rows, known, lexical)
            return list(combine(parts, self.weighed.record["weights"]))

        return {"queries": write_parts(folder, found, add)}


class Combiner:
    """Runs the stages that add up the scores that a recipe's ``combination`` names.

    Parameters
    ----------
    context
        The run and the iteration.
    settings
        The recipe's ``combination``.
    student
        From the iteration before.
    teacher
        None where the recipe has none; other scores make one then.
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
        settings: CombinationSettings,
        student: Done,
        teacher: ReadyTeacher | None,
        encoded: Done | None,
        checked: Done | None,
        lexical: Lexical | None,
    ) -> None:
        if checked is None and not settings.weights:
            raise QgdrError(
                "combination: nothing is held out to fit weights to; raise holdout, or give weights"
            )
        precision, corpus = context.recipe.negatives.precision, context.data.corpus
        self._context, self._taught = context, teacher is not None
        self._scorer = PartScorer(
            settings, student, teacher, precision, context.reading, lexical, corpus, encoded
        )
        weigh = WeighScores(self._scorer, checked, Means(context.stages.say))
        self._weighed = context.run("weigh", weigh)

    def combine(self, name: str, scored: Done) -> Done:
        """Write rows with the weighted sum for their scores; see `CombineScores`."""
        return self._context.run(name, CombineScores(self._scorer, scored, self._taught, self._weighed))
