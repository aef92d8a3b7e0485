"""One iteration of the method: mine, score, generate, score what was generated, distil."""

from __future__ import annotations

import dataclasses
import functools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.collection.tevatron import CandidateList, write_candidates
from qgdr_pyserini.model.dual_encoder import DualEncoder, Vectors
from qgdr_pyserini.model.dual_encoder_teacher import DualEncoderTeacher
from qgdr_pyserini.model.query_generator import QueryGenerator
from qgdr_pyserini.train.anchor import Anchor
from qgdr_pyserini.train.code_switching import CodeSwitcher
from qgdr_pyserini.train.combination_stage import CHECKED, Combiner
from qgdr_pyserini.train.distillation_data import Replay, Switch
from qgdr_pyserini.train.distillation_settings import DistillationSettings
from qgdr_pyserini.train.distillation_stage import distil
from qgdr_pyserini.train.generation_filters import NOTHING, Kept, keep_good
from qgdr_pyserini.train.known_scores import KnownScores, read_scores, write_scores
from qgdr_pyserini.train.lexical_score import Lexical, LexicalScorer
from qgdr_pyserini.train.measuring import recall_by_language, reranking_accuracy
from qgdr_pyserini.train.mining import read_vectors, retrieve
from qgdr_pyserini.train.negatives import Ranking, drop_likely_positives, mine_negatives
from qgdr_pyserini.train.pairs import pair_sources
from qgdr_pyserini.train.parts import read_parts, write_parts
from qgdr_pyserini.train.reading import Reading
from qgdr_pyserini.train.recipe_settings import Recipe
from qgdr_pyserini.train.stage_rows import MINED, read_rows
from qgdr_pyserini.train.stages import Done, Stages
from qgdr_pyserini.train.steps import generate_rows, score_rows
from qgdr_pyserini.train.teacher_stages import TeacherAt, load_for_scoring, save_model, scoring_values
from qgdr_pyserini.train.training import computing_in, processes
from qgdr_pyserini.train.training_data import Corpus, TrainingData, digest_files
from qgdr_pyserini.train.twin_rows import twin_rows

Ranker = Callable[[Sequence[CandidateList], Corpus, int, Path], tuple[Ranking, Mapping[str, Passage]]]
"""Ranks a corpus for queries, to a depth, with a folder to work in: docids by query id, and the passages."""

CUTOFF = 10
"""Of the recall on held-out queries."""

SCORES = "scores.tsv.gz"
"""File of a stage that scores: its scores without the texts."""


class Iteration:
    """The stages of one iteration, named ``NUMBER-…``; number 0 comes before there is a teacher.

    Parameters
    ----------
    number
        Which one.
    recipe, data, stages
        Of the run.
    bm25_scorer
        Scores by dictionary BM25, where ``combination`` asks for it.
    """

    def __init__(
        self,
        number: int,
        recipe: Recipe,
        data: TrainingData,
        stages: Stages,
        bm25_scorer: LexicalScorer | None = None,
    ) -> None:
        self._number, self._prefix, self._bm25_scorer = number, f"{number}-", bm25_scorer
        self._recipe, self._data, self._stages = recipe, data, stages
        self._reading = Reading(data, recipe.teacher)

    def run(self, student: Done, teacher: TeacherAt | None, mined: Done | None) -> Done:
        """Go through the iteration that ``distillation`` describes.

        Parameters
        ----------
        student
            From the iteration before.
        teacher
            None where the recipe has none.
        mined
            What this student has mined for all queries already; None if it has to mine.

        Returns
        -------
        Done
            The new student.
        """
        recipe, settings = self._recipe, self._recipe.distillation
        assert settings is not None
        last = self._number == recipe.iterations
        # With one candidate there is nothing to mine.
        alone = settings.candidates == 1
        candidates = self.take(mined) if mined else self.mine(student, given=alone)
        if teacher is None and recipe.combination is None:
            return self.train_student("distil", settings, student, candidates, mined=candidates, last=last)
        checked = self.check_teacher(student, teacher) if self._data.held_out else None
        scored = self.score("score", candidates, teacher) if teacher else candidates
        generated = self.generate(candidates, student, teacher) if recipe.aligns else None
        if generated and teacher:
            generated = self.score("score-generated", generated, teacher, scored)
        if recipe.combination:
            lexical = Lexical(self._bm25_scorer, self._data, self._reading) if recipe.adds_bm25 else None
            remembered = functools.partial(self._vectors, candidates) if self._anchored else None
            combiner = Combiner(
                self._prefix, recipe, student, checked, self._stages, lexical, self._reading, remembered
            )
            scored = combiner.combine("combine", scored)
            generated = combiner.combine("combine-generated", generated) if generated else None
        return self.train_student("distil", settings, student, scored, generated, mined=candidates, last=last)

    def mine(self, student: Done, ranker: Ranker | None = None, *, given: bool = False) -> Done:
        """Give all queries hard negatives, which the student retrieves.

        Parameters
        ----------
        student
            Retrieves.
        ranker
            Retrieves instead of the student.
        given
            Keep the negatives that the data gives.
        """
        settings = self._recipe.negatives
        rows = self._data.distilled if self._number else self._data.rows

        def work(folder: Path) -> dict[str, Any]:
            corpus = self._data.corpus
            if given:
                return {"queries": _write(folder, rows)}
            if ranker is not None:
                found = ranker(rows, corpus, settings.depth, folder)
            else:
                with computing_in(settings.precision):
                    asked = self._searched(rows)
                    found = _retrieve(
                        student.model, asked, corpus, settings.depth, folder, keep_vectors=self._anchored
                    )
            return {"queries": _write(folder, mine_negatives(rows, *found, settings))}

        unlabelled = sum(not row.positives for row in rows)
        values = {"queries": len(rows), "given": given, **({} if given else settings.model_dump())}
        values |= {"unlabelled": unlabelled} if unlabelled else {}
        values |= {"vectors": True} if self._anchored else {}
        values |= {} if given else self._reading.values
        return self._stages.run(f"{self._prefix}mine", values, [student, self._data.digest], work)

    @property
    def _anchored(self) -> bool:
        """Whether this iteration's student learns with passages that stand still."""
        settings = self._recipe.distillation
        return self._number > 0 and settings is not None and settings.anchor is not None

    def _searched(self, rows: Sequence[CandidateList]) -> list[CandidateList]:
        """Ask what the teacher reads; questions without a passage in English, which retrieves best, if known.

        A question and its twins then have the same candidates, which a teacher that reads English scores
        once for all of them.
        """
        if all(row.positives for row in rows) and not self._reading.english:
            return list(rows)
        twins = self._reading.twins
        return [
            dataclasses.replace(row, query=twins.english(row) or row.query)
            if self._reading.english or not row.positives
            else row
            for row in rows
        ]

    def take(self, mined: Done) -> Done:
        """Take the iteration's queries from all those that its student has mined for already."""

        def work(folder: Path) -> dict[str, Any]:
            wanted = {row.query_id for row in self._data.distilled}
            return {"queries": _write(folder, [row for row in read_rows(mined) if row.query_id in wanted])}

        values = {"queries": len(self._data.distilled)}
        return self._stages.run(f"{self._prefix}mine", values, [mined], work)

    def check_teacher(self, student: Done, teacher: TeacherAt | None) -> Done:
        """See how often student and teacher, if any, put the positives of held-out queries first."""
        recipe = self._recipe

        def work(folder: Path) -> dict[str, Any]:
            count = recipe.negatives.checked_queries
            rows = self._data.held_out[:: max(1, len(self._data.held_out) // count)][:count]
            with computing_in(recipe.negatives.precision):
                asked = self._searched(rows)
                ranking = _retrieve(student.model, asked, self._data.pool, recipe.negatives.depth, folder)
            mined = mine_negatives(rows, *ranking, recipe.negatives)
            encoder = DualEncoderTeacher(_load(student.model), precision=recipe.negatives.precision)
            scored = {"student": score_rows(mined, encoder, self._reading)}
            if teacher is not None and recipe.teacher is not None:
                model = load_for_scoring(teacher, recipe.teacher)
                scored["teacher"] = score_rows(mined, model, self._reading, self._known)
            for name, found in scored.items():
                _write(folder, found, CHECKED.format(name))
            if "teacher" in scored and processes().is_main_process:
                write_scores(folder / SCORES, scored["teacher"])
            return {
                "queries": len(rows),
                "candidates": recipe.negatives.negatives + 1,
                **{name: reranking_accuracy(found) for name, found in scored.items()},
            }

        # The rows themselves are kept, which they were not always.
        values = {
            "pool": recipe.data.pool,
            "kept": True,
            **recipe.negatives.model_dump(),
            **self._reading.values,
            "teacher": self._scoring(teacher),
        }
        return self._stages.run(f"{self._prefix}check-teacher", values, [student, *_stage(teacher)], work)

    def score(self, name: str, candidates: Done, teacher: TeacherAt, scored: Done | None = None) -> Done:
        """Let the teacher score all candidates but those that it has scored already, as in ``scored``."""
        settings = self._recipe.teacher
        assert settings is not None

        def work(folder: Path) -> dict[str, Any]:
            rows = self._reading.together(read_rows(candidates))
            model = load_for_scoring(teacher, settings)
            known = {**self._known, **(self._reading.known(rows, read_rows(scored)) if scored else {})}

            def score(_: int, part: Sequence[CandidateList]) -> list[CandidateList]:
                return score_rows(part, model, self._reading, known)

            count = write_parts(folder, rows, score)
            if processes().is_main_process:
                write_scores(folder / SCORES, read_parts(folder))
            return {"queries": count, **self._reading.counts(rows)}

        files = self._known_files()
        values = self._scoring(teacher) | self._reading.values
        values |= {"known": digest_files(files)} if files else {}
        builds_on = [candidates, teacher.stage, *([scored] if scored else [])]
        return self._stages.run(f"{self._prefix}{name}", values, builds_on, work)

    def _known_files(self) -> list[Path]:
        return [Path(file) for file in self._recipe.teacher.known_scores] if self._recipe.teacher else []

    @functools.cached_property
    def _known(self) -> KnownScores:
        return {pair: score for file in self._known_files() for pair, score in read_scores(file).items()}

    def generate(self, mined: Done, student: Done, teacher: TeacherAt | None) -> Done:
        """Write queries in other languages for the positives, or take the queries' twins, or both."""
        settings, seed = self._recipe.generation, self._recipe.seed

        def work(folder: Path) -> dict[str, Any]:
            rows, written = read_rows(mined), NOTHING
            if settings.writes and teacher:
                written = self._written(folder / "written", rows, student, teacher)
            known = twin_rows(rows, self._reading.twins, settings, seed) if settings.has_twins else []
            count = write_parts(folder, [*written.rows, *known], lambda _, part: part)
            languages = Counter(row.lang for row in read_parts(folder))
            return {"queries": count, "languages": dict(sorted(languages.items())), **written.counts}

        values = {"seed": seed, **settings.model_dump(exclude={"source"}), **self._scoring(teacher)}
        if settings.has_twins:
            values |= {"source": settings.source, **self._reading.values}
        builds_on = [mined, *_stage(teacher), *([student] if settings.round_trip else [])]
        return self._stages.run(f"{self._prefix}generate", values, builds_on, work)

    def _written(
        self, folder: Path, rows: Sequence[CandidateList], student: Done, teacher: TeacherAt
    ) -> Kept:
        """Let the teacher write, and keep what the settings want; all of it stays in ``folder``."""
        settings, seed = self._recipe.generation, self._recipe.seed
        assert self._recipe.teacher is not None
        model = load_for_scoring(teacher, self._recipe.teacher)
        assert isinstance(model, QueryGenerator)
        write_parts(folder, rows, lambda number, part: generate_rows(part, model, settings, seed + number))
        written = list(read_parts(folder))
        if not settings.filters:
            return Kept(written, {})

        def search(asked: Sequence[CandidateList], depth: int) -> tuple[Ranking, Mapping[str, Passage]]:
            return _retrieve(student.model, asked, self._data.corpus, depth, folder)

        return keep_good(written, settings, search)

    def _scoring(self, teacher: TeacherAt | None) -> dict[str, Any]:
        settings = self._recipe.teacher
        return scoring_values(teacher, settings) if teacher and settings else {}

    def train_student(
        self,
        name: str,
        settings: DistillationSettings,
        student: Done,
        rows: Done,
        generated: Done | None = None,
        *,
        mined: Done | None = None,
        last: bool = False,
    ) -> Done:
        """Train the student on scored or bare candidates, and measure it on held-out queries.

        The last student is measured when it is exported, and not here. ``mined`` is where the student has
        left its vectors of all passages, if it has.
        """
        recipe = self._recipe

        def work(folder: Path) -> dict[str, Any]:
            encoder = DualEncoder.from_pretrained(student.model)
            candidates, written = read_rows(rows), read_rows(generated) if generated else []
            anchor = self._anchor(encoder, mined) if settings.anchor and mined else None
            if settings.kd:
                candidates, written = without_likely_positives(candidates, written, recipe.negatives.margin)
            log = distil(
                encoder,
                candidates,
                written,
                settings,
                recipe.seed,
                folder,
                replay=self._replay(settings),
                switch=self._switch(settings),
                anchor=anchor,
                stage=f"{self._prefix}{name}",
            )
            save_model(encoder, folder)
            return {
                "log": log,
                "queries": len(candidates),
                "generated": len(written),
                **({} if last else self._measured(encoder)),
            }

        values = {"seed": recipe.seed, **settings.model_dump()}
        values |= {"margin": recipe.negatives.margin} if settings.kd else {}
        if (settings.replay or settings.code_switched) and recipe.pairs:
            values["pairs"] = recipe.pairs.model_dump()
        builds_on = [student, rows, *([generated] if generated else [])]
        return self._stages.run(f"{self._prefix}{name}", values, builds_on, work)

    def _anchor(self, encoder: DualEncoder, mined: Done) -> Anchor:
        settings = self._recipe.distillation
        assert settings is not None
        assert settings.anchor is not None
        passages, vectors = self._vectors(mined)
        contents = {passage.docid: passage.contents for passage in passages}
        return Anchor(encoder, contents, vectors, settings.anchor)

    def _vectors(self, mined: Done) -> tuple[list[Passage], Vectors]:
        """Read the passages, and the vectors that mining kept of them."""
        return list(self._data.corpus()), read_vectors(mined.folder)

    def _replay(self, settings: DistillationSettings) -> Replay | None:
        pairs = self._recipe.pairs
        if settings.replay is None or pairs is None or self._data.pairs is None:
            return None
        size = settings.replay.batch_size // processes().num_processes
        if settings.replay.sources:
            pairs = pairs.model_copy(update={"sources": settings.replay.sources})
        sources = pair_sources(self._data.pairs, pairs)
        return Replay(sources, size, self._recipe.seed, mixed=settings.anchor is not None)

    def _switch(self, settings: DistillationSettings) -> Switch | None:
        pairs, data = self._recipe.pairs, self._data.pairs
        if not settings.code_switched or pairs is None or data is None:
            return None
        return CodeSwitcher([*data.lexicon, *data.names], pairs.lowest_switch_rate).switch

    def _measured(self, encoder: DualEncoder) -> dict[str, Any]:
        if not self._data.held_out or not processes().is_main_process:
            return {}
        with computing_in(self._recipe.negatives.precision):
            recall = recall_by_language(encoder, self._data.held_out, self._data.pool(), CUTOFF)
        return {"recall": recall}


def without_likely_positives(
    rows: Sequence[CandidateList], generated: Sequence[CandidateList], margin: float
) -> tuple[list[CandidateList], list[CandidateList]]:
    """Drop negatives that the teacher takes for answers, from queries and what is aligned with them alike."""
    kept = {row.query_id: drop_likely_positives(row, margin) for row in rows}
    docids = {qid: {item.passage.docid for item in row.negatives} for qid, row in kept.items()}
    return list(kept.values()), [
        dataclasses.replace(
            row,
            negatives=tuple(c for c in row.negatives if c.passage.docid in docids[row.aligned_with]),
        )
        for row in generated
        if row.aligned_with in docids
    ]


def _retrieve(
    student: Path,
    rows: Sequence[CandidateList],
    corpus: Corpus,
    depth: int,
    folder: Path,
    *,
    keep_vectors: bool = False,
) -> tuple[Ranking, Mapping[str, Passage]]:
    return retrieve(_load(student), rows, corpus, depth, folder, keep_vectors=keep_vectors)


def _stage(teacher: TeacherAt | None) -> list[Done]:
    return [teacher.stage] if teacher else []


def _load(student: Path) -> DualEncoder:
    return DualEncoder.from_pretrained(student, str(processes().device))


def _write(folder: Path, rows: Sequence[CandidateList], name: str = MINED) -> int:
    state = processes()
    if state.is_main_process:
        write_candidates(folder / name, rows)
    state.wait_for_everyone()
    return len(rows)
