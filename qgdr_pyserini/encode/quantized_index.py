"""Indexes of smaller vectors, searched exhaustively: half precision, one byte a component, product codes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch  # noqa: F401  before faiss, see flat_index

# isort: split
import faiss

from qgdr_pyserini.encode.samples import blocks, sample
from qgdr_pyserini.encode.vectors import Vectors
from qgdr_pyserini.errors import QgdrError

# Components that share a byte of a product code: 4 make an index 16 times smaller than the flat one.
_COMPONENTS_PER_BYTE = 4


def write_fp16_index(vectors: Vectors, path: Path) -> None:
    """Write vectors ``(passages, dimension)`` in half precision: half the size, next to nothing lost."""
    _fill(_scalar(vectors, faiss.ScalarQuantizer.QT_fp16), vectors, path)


def write_sq8_index(vectors: Vectors, path: Path) -> None:
    """Write vectors ``(passages, dimension)`` as a byte a component: a quarter of the size.

    The range of every component is learned from a sample of the vectors.
    """
    _fill(_scalar(vectors, faiss.ScalarQuantizer.QT_8bit), vectors, path)


def write_pq_index(vectors: Vectors, path: Path) -> None:
    """Write vectors ``(passages, dimension)`` as product codes: a sixteenth of the size, less recall.

    References
    ----------
    Jégou, Douze, Schmid: Product Quantization for Nearest Neighbor Search. IEEE TPAMI 33 (1), 2011.
    """
    parts, bits = code_shape(vectors)
    dimension = vectors.shape[1]
    index = faiss.IndexPQ(dimension, parts, bits, faiss.METRIC_INNER_PRODUCT)
    index.pq.cp.min_points_per_centroid = 1  # a small corpus is no reason for FAISS to warn once a part
    _fill(index, vectors, path)


def code_shape(vectors: Vectors, kind: str = "pq") -> tuple[int, int]:
    """Into how many parts a product code cuts a vector, and how many bits each part has.

    Raises
    ------
    QgdrError
        If there are too few vectors to learn a code from.
    """
    count, dimension = vectors.shape
    bits = min(8, count.bit_length() - 1)
    if bits < 1:
        raise QgdrError(f"index type {kind} needs two passages at least; choose flat")
    most = dimension // _COMPONENTS_PER_BYTE or 1
    return next(parts for parts in range(most, 0, -1) if dimension % parts == 0), bits


def _scalar(vectors: Vectors, kind: int) -> Any:
    return faiss.IndexScalarQuantizer(vectors.shape[1], kind, faiss.METRIC_INNER_PRODUCT)


def _fill(index: Any, vectors: Vectors, path: Path) -> None:
    index.train(sample(vectors))
    for block in blocks(vectors):
        index.add(block)
    faiss.write_index(index, str(path))
