"""Twins to align with: the same question in other languages, with the candidates of its source."""

from __future__ import annotations

from collections.abc import Iterable

from qgdr_pyserini.collection.tevatron import CandidateList
from qgdr_pyserini.train.generation_settings import GenerationSettings
from qgdr_pyserini.train.steps import aligned_row
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
