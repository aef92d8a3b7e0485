"""What a recipe says of its data."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from qgdr_pyserini.settings import Settings


class DataSettings(Settings):
    """What is learned from.

    Parameters
    ----------
    format
        ``training-set``: a folder of passages, queries and translations. ``tevatron``: queries with
        positive and negative passages as Tevatron's JSON Lines, and a corpus.
    queries, corpus
        For ``tevatron``: files, taken from the data folder if they are there by that name, otherwise
        from the hub where they begin with ``hf://datasets/``.
    language
        For ``tevatron``: ISO code of queries whose row has no ``lang``.
    unanswerable
        For ``training-set``: whether queries are learned from whose passage does not answer them (those that
        are held out are measured on in any case).
    labels
        Share of each language's queries whose passages are known, parallel ones together: to see
        what a teacher is worth where labels are few. The others are distilled without (``kd``).
    without
        ISO codes of languages whose queries are left out.
    limit_per_language
        Queries taken of each language, the first by a digest of their ids; 0 takes all.
    distilled_per_language
        As many of them are mined for, scored and distilled in the iterations, and their twins in English;
        0 takes all. Warm-up and teacher learn from the others, too.
    distilled_articles
        Of queries with a passage, only those about so many articles are distilled, the ones that most are
        about; 0 takes all. Their passages are each other's candidates, so a teacher reads few passages.
    unlabelled_per_language
        For ``training-set``: so many translated questions without a passage, in English and in each other
        language, are distilled too. Their candidates are what the student retrieves with the English.
    pool
        Held-out queries are searched in their own passages and so many others, the first by a digest
        of their ids; 0 takes all. Without a GPU, encoding them all takes minutes each time.
    """

    format: Literal["training-set", "tevatron"] = "training-set"
    queries: str = ""
    corpus: str = ""
    language: str = "en"
    unanswerable: bool = True
    labels: float = Field(default=1.0, gt=0, le=1)
    without: list[str] = Field(default_factory=list)
    limit_per_language: int = Field(default=0, ge=0)
    distilled_per_language: int = Field(default=0, ge=0)
    distilled_articles: int = Field(default=0, ge=0)
    unlabelled_per_language: int = Field(default=0, ge=0)
    pool: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _files_are_named(self) -> Self:
        if self.format == "tevatron" and not (self.queries and self.corpus):
            raise ValueError("format 'tevatron' needs 'queries' and 'corpus'")
        return self
