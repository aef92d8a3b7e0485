"""Queries that others are aligned with: their twins, or what the teacher writes."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from qgdr_pyserini.collection.tevatron import CandidateList
from qgdr_pyserini.model.query_generator import QueryGenerator
from qgdr_pyserini.train.context import Reading, load_student
from qgdr_pyserini.train.data import Corpus
from qgdr_pyserini.train.generation import (
    NOTHING,
    GenerationSettings,
    Kept,
    Search,
    aligned_row,
    generate_rows,
    keep_good,
)
from qgdr_pyserini.train.mining import Found, retrieve
from qgdr_pyserini.train.stages import Done, Stage, read_parts, read_rows, write_parts
from qgdr_pyserini.train.teacher import ReadyTeacher
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


@dataclasses.dataclass(frozen=True)
class AlignQueries(Stage):
    """Write queries in other languages for the positives, or take the queries' twins, or both.

    Parameters
    ----------
    mined
        The stage that wrote the queries.
    teacher
        Writes; None where it does not.
    student
        From the iteration before, finds the passages of generated queries again; None where nothing has to.
    corpus
        What it looks for them in.
    settings, seed
        What is written, taken and kept.
    reading
        Knows the twins.
    """

    mined: Done
    teacher: ReadyTeacher | None
    student: Done | None
    corpus: Corpus
    settings: GenerationSettings
    seed: int
    reading: Reading

    def work(self, folder: Path) -> dict[str, Any]:
        """Write, look up, and keep both in parts."""
        settings, rows = self.settings, read_rows(self.mined)
        written = self._written(folder / "written", rows)
        known = twin_rows(rows, self.reading.twins, settings, self.seed) if settings.has_twins else []
        count = write_parts(folder, [*written.rows, *known], lambda _, part: part)
        languages = Counter(row.lang for row in read_parts(folder))
        return {"queries": count, "languages": dict(sorted(languages.items())), **written.counts}

    def _written(self, folder: Path, rows: Sequence[CandidateList]) -> Kept:
        """Let the teacher write, and keep what the settings want; all of it stays in ``folder``."""
        settings, seed = self.settings, self.seed
        if self.teacher is None:
            return NOTHING
        model = self.teacher.load()
        assert isinstance(model, QueryGenerator)
        write_parts(folder, rows, lambda number, part: generate_rows(part, model, settings, seed + number))
        written = list(read_parts(folder))
        if not settings.filters:
            return Kept(written, {})
        return keep_good(written, settings, self._search(self.student, folder) if self.student else None)

    def _search(self, student: Done, folder: Path) -> Search:
        def search(asked: Sequence[CandidateList], depth: int) -> Found:
            return retrieve(load_student(student), asked, self.corpus, depth, folder)

        return search
