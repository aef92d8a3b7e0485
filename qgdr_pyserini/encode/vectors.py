"""Vectors as this package passes them on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from qgdr_pyserini.errors import QgdrError

Vectors = npt.NDArray[np.float32]


def refuse_not_finite(ids: Sequence[str], vectors: Vectors) -> None:
    """Raise `QgdrError` if a vector holds NaN or infinity, which no search would ever find."""
    broken = ~np.isfinite(vectors).all(axis=1)
    if broken.any():
        raise QgdrError(
            f"the encoder's vector for passage {ids[int(broken.argmax())]!r} is not finite; "
            "check the encoder's weights"
        )
