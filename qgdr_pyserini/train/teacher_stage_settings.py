"""Settings of the stages that train a teacher."""

from __future__ import annotations

from pydantic import Field

from qgdr_pyserini.train.training import TrainingSettings


class GenerationLossSettings(TrainingSettings):
    """Training a query generator to write queries for passages.

    Parameters
    ----------
    language_exponent
        See `qgdr_pyserini.train.pairs.ByLanguage`.
    share
        Of each language's queries that are learned from; see `RankingSettings`.
    """

    language_exponent: float = Field(default=0.5, ge=0, le=1)
    share: float = Field(default=1.0, gt=0, le=1)


class RankingSettings(TrainingSettings):
    """Training a teacher to rank, by `qgdr_pyserini.train.losses.ranking.ranking_loss`.

    Parameters
    ----------
    candidates
        Passages for each query, its positive among them.
    temperature
        Of the loss.
    share
        Of each language's queries that are learned from, to see how a teacher fares with few (the
        paper's Figure 1); see `qgdr_pyserini.train.shares.take_share`.
    """

    candidates: int = Field(default=8, ge=2)
    temperature: float = Field(default=1.0, gt=0)
    share: float = Field(default=1.0, gt=0, le=1)
