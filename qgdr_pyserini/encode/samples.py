"""The vectors that an index learns its partition or its codes from."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from qgdr_pyserini.encode.vectors import Vectors

SAMPLE = 100_000
BLOCK = 50_000


def sample(vectors: Vectors, size: int = SAMPLE) -> Vectors:
    """Take ``size`` vectors spread evenly over all, or all if there are no more.

    Evenly and not at random, so that the same vectors make the same index.
    """
    if len(vectors) <= size:
        return np.ascontiguousarray(vectors)
    rows = np.linspace(0, len(vectors) - 1, size).astype(np.int64)
    return np.ascontiguousarray(vectors[rows])


def blocks(vectors: Vectors, size: int = BLOCK) -> Iterator[Vectors]:
    """Yield runs of vectors, each copied into memory when its turn comes."""
    for start in range(0, len(vectors), size):
        yield np.ascontiguousarray(vectors[start : start + size])
