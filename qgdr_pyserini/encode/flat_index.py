"""The flat index: every vector as it is, searched exhaustively by inner product."""

from __future__ import annotations

from pathlib import Path

import torch  # noqa: F401  faiss brings its own OpenMP; loaded before torch's, the two clash

# isort: split
import faiss

from qgdr_pyserini.encode.vectors import Vectors


def write_flat_index(vectors: Vectors, path: Path) -> None:
    """Write vectors as a FAISS ``IndexFlatIP``.

    Parameters
    ----------
    vectors
        ``(passages, dimension)``, contiguous.
    path
        The index file.
    """
    index = faiss.IndexFlatIP(vectors.shape[1])
    # All at once: FAISS then allocates exactly what it needs, where blocks make it grow by doubling.
    index.add(vectors)
    faiss.write_index(index, str(path))
