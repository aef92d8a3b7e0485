"""Settings of the positive pairs that a from-scratch encoder learns from."""

from __future__ import annotations

from pydantic import Field

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
    crops, code_switched_crops
        Spans of passages with the passages, in English and code-switched.
    """

    queries: SourceSettings
    code_switched_queries: SourceSettings
    questions: SourceSettings
    sentences: SourceSettings
    lexicon: SourceSettings
    names: SourceSettings
    crops: SourceSettings
    code_switched_crops: SourceSettings


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
