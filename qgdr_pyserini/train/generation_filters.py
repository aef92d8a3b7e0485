"""Which generated questions are worth learning from: in the language asked for, and found again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.collection.tevatron import CandidateList
from qgdr_pyserini.dictionary.language_id import ENGLISH, LanguageIdentifier
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.train.generation_settings import GenerationSettings
from qgdr_pyserini.train.negatives import Ranking

Search = Callable[[Sequence[CandidateList], int], tuple[Ranking, Mapping[str, Passage]]]
"""Ranks passages for queries, to a depth: docids by query id, and the passages."""


class Kept(NamedTuple):
    """What is left of generated questions, and how many there were and were dropped, by reason."""

    rows: list[CandidateList]
    counts: dict[str, int]


NOTHING = Kept([], {})


def keep_good(rows: Sequence[CandidateList], settings: GenerationSettings, search: Search | None) -> Kept:
    """Drop what the settings do not want.

    A generator that was not trained to write in a language writes English instead, or about nothing in
    particular. The language is identified first, as it costs next to nothing; then an encoder has to find
    the passage again (round-trip consistency: Alberti et al. 2019).

    Parameters
    ----------
    rows
        Generated questions, each with the passage that it was written for.
    settings
        ``check_language`` and ``round_trip``.
    search
        Where ``round_trip`` is above 0: what finds passages.

    Raises
    ------
    QgdrError
        If nothing is left, or py3langid, which identifies languages, is not installed.
    """
    right = _in_their_language(rows, settings) if settings.check_language else list(rows)
    found = right
    if settings.round_trip and right:
        assert search is not None
        found = _found_again(right, *search(right, settings.round_trip))
    if rows and not found:
        raise QgdrError(
            f"none of {len(rows):,} generated queries was kept ({len(right):,} were in their language); "
            "train the generator to write, or set check_language to false and round_trip to 0"
        )
    counts = {
        "written": len(rows),
        "in_another_language": len(rows) - len(right),
        "not_found_again": len(right) - len(found),
    }
    return Kept(found, counts)


def _in_their_language(rows: Sequence[CandidateList], settings: GenerationSettings) -> list[CandidateList]:
    """Keep what is identified as it was asked for; languages that cannot be identified are believed."""
    identifier = LanguageIdentifier({_base(code) for code in (*settings.languages, ENGLISH)})
    return [
        row
        for row in rows
        if _base(row.lang) not in identifier.languages or identifier.identify(row.query) == _base(row.lang)
    ]


def _found_again(
    rows: Sequence[CandidateList], ranking: Ranking, passages: Mapping[str, Passage]
) -> list[CandidateList]:
    """Keep questions for which the passage, or one that says the same, is among those ranked."""
    return [
        row
        for row in rows
        if {passages[docid].text for docid in ranking.get(row.query_id, ())}
        & {item.passage.text for item in row.positives}
    ]


def _base(code: str) -> str:
    return code.replace("_", "-").split("-")[0]
