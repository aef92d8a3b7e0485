"""Settings of the queries that are aligned: those that a generator writes, and translations."""

from __future__ import annotations

import hashlib
from typing import Literal

from pydantic import Field

from qgdr_pyserini.settings import Settings


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
