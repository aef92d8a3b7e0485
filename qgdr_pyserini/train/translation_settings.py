"""Settings of learning an English encoder's space from translations."""

from __future__ import annotations

from pydantic import Field

from qgdr_pyserini.model.precision import Precision
from qgdr_pyserini.settings import Settings


class TranslationSettings(Settings):
    """Training a multilingual student to give texts the vectors that an English encoder gives their English.

    Parameters
    ----------
    steps
        Number of updates; each is one batch of one of the recipe's ``pairs``.
    learning_rate, vector_learning_rate
        Peak, of the layers and of the subword vectors; risen to over ``warmup_ratio`` of the steps, then it
        falls to zero linearly.
    warmup_ratio
        See there.
    temperature
        Of the contrastive loss between texts and the English encoder's vectors, in both directions.
    cosine
        Weight of one minus the cosine between a text's vector and that of its English.
    precision
        ``bf16`` computes in mixed precision, weights and optimizer stay in fp32; ``auto`` is bf16 where
        the device is faster in it.
    save_steps
        Steps between checkpoints.
    """

    steps: int = Field(ge=1)
    learning_rate: float = Field(default=1e-4, gt=0)
    vector_learning_rate: float = Field(default=2e-3, gt=0)
    warmup_ratio: float = Field(default=0.05, ge=0, lt=1)
    temperature: float = Field(default=0.05, gt=0)
    cosine: float = Field(default=10.0, ge=0)
    precision: Precision = "fp32"
    save_steps: int = Field(default=500, ge=1)
