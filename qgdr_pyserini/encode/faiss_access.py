"""FAISS, imported when it is first needed: opening an index, what is inside it, vectors as it takes them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qgdr_pyserini.errors import InputError

if TYPE_CHECKING:
    from qgdr_pyserini.model.dual_encoder import Vectors

SAMPLE = 100_000
"""Vectors that an index learns its cells and codes from."""
BLOCK = 50_000
"""Vectors added, or read, at a time."""


def open_index(index: Path) -> Any:
    """Read the FAISS index in the directory ``index``.

    Raises
    ------
    InputError
        If it is missing or damaged.
    """
    path = index / "index"
    try:
        return import_faiss().read_index(str(path))
    except RuntimeError:
        raise InputError("missing or damaged; encode the corpus again", path) from None


def parts(index: Any) -> Iterator[Any]:
    """Yield an index and what is inside it: behind a transform, before a refinement, an IVF's quantizer."""
    faiss = import_faiss()
    index = faiss.downcast_index(index)
    yield index
    for name in ("index", "base_index", "refine_index", "quantizer"):
        inner = getattr(index, name, None)
        if isinstance(inner, faiss.Index):
            yield from parts(inner)


def ivf_of(index: Any) -> Any:
    """Return the inverted file in an index; None where it has none."""
    return next((part for part in parts(index) if isinstance(part, import_faiss().IndexIVF)), None)


def transforms(index: Any) -> Iterator[Any]:
    """Yield what changes vectors before they come into an index: rotations, PCA, normalisation."""
    faiss = import_faiss()
    for part in parts(index):
        if isinstance(part, faiss.IndexPreTransform):
            for place in range(part.chain.size()):
                yield faiss.downcast_VectorTransform(part.chain.at(place))


def sample(vectors: Vectors, size: int = SAMPLE) -> Vectors:
    """Take ``size`` vectors spread evenly over all, or all if there are no more.

    Evenly and not at random, so that the same vectors make the same index.
    """
    import numpy as np

    if len(vectors) <= size:
        return np.ascontiguousarray(vectors)
    rows = np.linspace(0, len(vectors) - 1, size).astype(np.int64)
    return np.ascontiguousarray(vectors[rows])


def blocks(vectors: Vectors, size: int = BLOCK) -> Iterator[Vectors]:
    """Yield runs of vectors, each copied into memory when its turn comes."""
    import numpy as np

    for start in range(0, len(vectors), size):
        yield np.ascontiguousarray(vectors[start : start + size])


def limit_threads(count: int | None) -> None:
    """Let torch and FAISS use ``count`` threads; as many as they like when None."""
    if count is not None:
        import torch

        torch.set_num_threads(count)
        import_faiss().omp_set_num_threads(count)


def import_faiss() -> Any:
    """Import FAISS, after torch.

    Where FAISS is loaded already it is too late for that: a command that computes nothing with torch imports
    FAISS itself beforehand, and is spared torch's start.
    """
    if "faiss" not in sys.modules:
        import torch  # noqa: F401  faiss brings its own OpenMP; loaded before torch's, the two clash

    # isort: split
    import faiss

    return faiss
