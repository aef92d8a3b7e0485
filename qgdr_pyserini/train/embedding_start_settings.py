"""Settings of the subword vectors that an English encoder is given for new languages."""

from __future__ import annotations

from pydantic import Field

from qgdr_pyserini.settings import Settings


class EmbeddingStartSettings(Settings):
    """How subword vectors are fitted to translations.

    Parameters
    ----------
    ridge
        Pull of every vector towards the mean vector, in translations.
    iterations
        Of conjugate gradients.
    name_weight
        Of a name's transliteration, beside a translation's 1.
    """

    ridge: float = Field(default=0.3, gt=0)
    iterations: int = Field(default=25, ge=1)
    name_weight: float = Field(default=0.3, gt=0)
