"""Queries that others are aligned with: their twins, or what the teacher writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from qgdr_pyserini.collection.tevatron import CandidateList
from qgdr_pyserini.model.query_generator import QueryGenerator
from qgdr_pyserini.train.context import StageContext, load_student
from qgdr_pyserini.train.generation import (
    NOTHING,
    GenerationSettings,
    Kept,
    aligned_row,
    generate_rows,
    keep_good,
)
from qgdr_pyserini.train.mining import Found, retrieve
from qgdr_pyserini.train.stages import Done, read_parts, read_rows, write_parts
from qgdr_pyserini.train.teacher import TeacherAt, load_for_scoring, scoring_values
from qgdr_pyserini.train.twins import Twins

_TWIN = "twin"


def twin_rows(
    rows: Iterable[CandidateList], twins: Twins, settings: GenerationSettings, seed: int
) -> list[CandidateList]:
    """Give queries' twins as `qgdr_pyserini.train.steps.generate_rows` gives what a generator writes.

    Parameters
    ----------
    rows
        Queries with candidates; without a passage of their own, too.
    twins
        Where they are looked up.
    settings
        Languages, and how many of those that there are; no languages stand for all.
    seed
        Of the drawing.

    Returns
    -------
    list of CandidateList
        Named ``ID.LANG.twin``, with ``aligned_with``, without scores.
    """
    found = []
    for row in rows:
        known = twins.all_of(row)
        wanted = [language for language in settings.languages or known if language in known]
        there = settings.model_copy(update={"languages": wanted})
        for language in there.languages_of(row.query_id, row.lang, seed):
            found.append(aligned_row(row, language, _TWIN, known[language]))
    return found


class QueryWriter:
    """Gives queries others to be aligned with: generated ones, their twins, or both.

    Parameters
    ----------
    context
        The run and the iteration.
    student
        From the iteration before; finds the passages of generated queries again.
    teacher
        Writes; None where the recipe has none.
    """

    def __init__(self, context: StageContext, student: Done, teacher: TeacherAt | None) -> None:
        self._context, self._student, self._teacher = context, student, teacher

    def generate(self, mined: Done) -> Done:
        """Write queries in other languages for the positives, or take the queries' twins, or both."""
        recipe, reading = self._context.recipe, self._context.reading
        settings, seed = recipe.generation, recipe.seed

        def work(folder: Path) -> dict[str, Any]:
            rows = read_rows(mined)
            written = self._written(folder / "written", rows)
            known = twin_rows(rows, reading.twins, settings, seed) if settings.has_twins else []
            count = write_parts(folder, [*written.rows, *known], lambda _, part: part)
            languages = Counter(row.lang for row in read_parts(folder))
            return {"queries": count, "languages": dict(sorted(languages.items())), **written.counts}

        values = {"seed": seed, **settings.model_dump(exclude={"source"})}
        values |= scoring_values(self._teacher, recipe.teacher)
        if settings.has_twins:
            values |= {"source": settings.source, **reading.values}
        builds_on = [mined, *([self._teacher.stage] if self._teacher else [])]
        builds_on += [self._student] if settings.round_trip else []
        return self._context.run("generate", values, builds_on, work)

    def _written(self, folder: Path, rows: Sequence[CandidateList]) -> Kept:
        """Let the teacher write, and keep what the settings want; all of it stays in ``folder``."""
        recipe, teacher = self._context.recipe, self._teacher
        settings, seed = recipe.generation, recipe.seed
        if not settings.writes or teacher is None:
            return NOTHING
        assert recipe.teacher is not None
        model = load_for_scoring(teacher, recipe.teacher)
        assert isinstance(model, QueryGenerator)
        write_parts(folder, rows, lambda number, part: generate_rows(part, model, settings, seed + number))
        written = list(read_parts(folder))
        if not settings.filters:
            return Kept(written, {})

        def search(asked: Sequence[CandidateList], depth: int) -> Found:
            return retrieve(load_student(self._student), asked, self._context.data.corpus, depth, folder)

        return keep_good(written, settings, search)
