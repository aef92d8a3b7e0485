"""Writing queries by a generator: settings, the writing, and what is kept of it."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

from pydantic import Field

from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.collection.tevatron import Candidate, CandidateList
from qgdr_pyserini.dictionary.language_id import ENGLISH, LanguageIdentifier
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.query_generator import QueryGenerator
from qgdr_pyserini.settings import Settings
from qgdr_pyserini.train.negatives import Ranking

Search = Callable[[Sequence[CandidateList], int], tuple[Ranking, Mapping[str, Passage]]]
"""Ranks passages for queries, to a depth: docids by query id, and the passages."""


class GenerationSettings(Settings):
    """The queries that are aligned with others.

    Parameters
    ----------
    source
        ``generated``: a query generator writes them. ``twins``: they are the same questions in other
        languages, as far as the data has them (`qgdr_pyserini.train.twins`); any teacher will do. ``both``.
    languages
        ISO codes; of twins alone, none stands for all.
    languages_per_query
        Languages drawn for each query; 0 takes all.
    n
        Generated queries for each passage and language.
    top_k
        Tokens are drawn from this many most likely ones.
    check_language
        Drop queries that are not identified as the language asked for, among ``languages`` and English.
    round_trip
        Drop queries for which the student does not find the passage among its first so many; 0 keeps them.
    """

    source: Literal["generated", "twins", "both"] = "generated"
    languages: list[str] = Field(default_factory=list)
    languages_per_query: int = Field(default=0, ge=0)
    n: int = Field(default=1, ge=1)
    top_k: int = Field(default=10, ge=1)
    check_language: bool = False
    round_trip: int = Field(default=0, ge=0)

    @property
    def filters(self) -> bool:
        """Whether anything that was written may be dropped."""
        return self.check_language or self.round_trip > 0

    @property
    def writes(self) -> bool:
        """Whether a generator writes queries."""
        return self.source != "twins"

    @property
    def has_twins(self) -> bool:
        """Whether twins of the data are aligned."""
        return self.source != "generated"

    def languages_of(self, query_id: str, own: str, seed: int) -> list[str]:
        """List the languages to ask in for a query: never its own, and the same for equal seeds.

        Examples
        --------
        >>> GenerationSettings(languages=["de", "ru", "zh"]).languages_of("q1", "de", seed=0)
        ['ru', 'zh']
        >>> one = GenerationSettings(languages=["de", "ru", "zh"], languages_per_query=1)
        >>> [one.languages_of(qid, "en", seed=0) for qid in ("q1", "q2", "q3")]
        [['ru'], ['zh'], ['zh']]
        """
        others = [language for language in self.languages if language != own]
        if not 0 < self.languages_per_query < len(others):
            return others
        shuffled = sorted(others, key=lambda lang: _chance(f"{seed} {query_id} {lang}"))
        return sorted(shuffled[: self.languages_per_query], key=others.index)


def _chance(text: str) -> bytes:
    return hashlib.blake2b(text.encode()).digest()


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


def generate_rows(
    rows: Sequence[CandidateList],
    generator: QueryGenerator,
    settings: GenerationSettings,
    seed: int,
) -> list[CandidateList]:
    """Write questions for the first positive of every query; see `generate_file`."""
    wanted = {row.query_id: settings.languages_of(row.query_id, row.lang, seed) for row in rows}
    made: dict[tuple[str, str], list[str]] = defaultdict(list)
    for language in settings.languages:
        asked = [row for row in rows if row.positives and language in wanted[row.query_id]]
        passages = [row.positives[0].passage for row in asked]
        for query in generator.generate(passages, [language], settings.n, seed=seed, top_k=settings.top_k):
            made[asked[query.passage].query_id, language].append(query.text)
    return [
        aligned_row(row, language, str(number), text)
        for row in rows
        for language in settings.languages
        for number, text in enumerate(made[row.query_id, language])
    ]


def aligned_row(row: CandidateList, language: str, name: str, text: str) -> CandidateList:
    """Give a query that is aligned with ``row`` its candidates, without scores, and the id with the name."""
    return CandidateList(
        query_id=f"{row.query_id}.{language}.{name}",
        query=text,
        positives=tuple(Candidate(item.passage) for item in row.positives),
        negatives=tuple(Candidate(item.passage) for item in row.negatives),
        lang=language,
        answers=row.answers,
        aligned_with=row.query_id,
    )
