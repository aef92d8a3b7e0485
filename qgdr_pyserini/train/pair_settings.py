"""Settings of positive pairs: texts with their translations, queries with their passages."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from qgdr_pyserini.settings import Settings


class SourceSettings(Settings):
    """One source of positive pairs.

    Parameters
    ----------
    weight
        How often a batch comes from it, relative to the other sources; 0 leaves it out.
    batch_size
        Pairs in a batch, all negatives of each other.
    """

    weight: float = Field(ge=0)
    batch_size: int = Field(ge=2)


_NONE = SourceSettings(weight=0.0, batch_size=2)

ANCHORLESS = ("queries", "code_switched_queries", "passages")
"""Sources whose second texts are no translations of the first."""


class SourcesSettings(Settings):
    """All sources of positive pairs; see `qgdr_pyserini.train.pairs`.

    Parameters
    ----------
    queries
        Queries with their passages.
    code_switched_queries
        The English ones among them, put into other languages through lexicon and names.
    questions, sentences, lexicon, names
        Texts with their translations.
    english_questions, code_switched_questions
        The translations of the questions with themselves, and put into other languages.
    passages
        Passages with themselves: what the English side was before, it is to stay.
    """

    queries: SourceSettings = _NONE
    code_switched_queries: SourceSettings = _NONE
    questions: SourceSettings = _NONE
    sentences: SourceSettings = _NONE
    lexicon: SourceSettings = _NONE
    names: SourceSettings = _NONE
    english_questions: SourceSettings = _NONE
    code_switched_questions: SourceSettings = _NONE
    passages: SourceSettings = _NONE

    @model_validator(mode="after")
    def _something_to_draw(self) -> Self:
        if not any(source["weight"] for source in self.model_dump().values()):
            raise ValueError("no source has a weight above 0")
        return self


class PairSettings(Settings):
    """Where batches of positive pairs come from.

    Parameters
    ----------
    language_exponent
        See `qgdr_pyserini.train.pairs.ByLanguage`.
    lowest_switch_rate
        Least share of words that code-switching translates.
    sources
        The sources.
    """

    language_exponent: float = Field(default=0.5, ge=0, le=1)
    lowest_switch_rate: float = Field(default=0.5, ge=0, le=1)
    sources: SourcesSettings
