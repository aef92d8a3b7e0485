"""Indexes of smaller vectors, searched exhaustively: half precision, one byte a component, product codes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch  # noqa: F401  before faiss, see flat_index

# isort: split
import faiss

from qgdr_pyserini.encode.index_shapes import code_shape
from qgdr_pyserini.encode.samples import blocks, sample
from qgdr_pyserini.encode.vectors import Vectors


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
    count, dimension = vectors.shape
    parts, bits = code_shape(count, dimension)
    index = faiss.IndexPQ(dimension, parts, bits, faiss.METRIC_INNER_PRODUCT)
    index.pq.cp.min_points_per_centroid = 1  # a small corpus is no reason for FAISS to warn once a part
    _fill(index, vectors, path)


def _scalar(vectors: Vectors, kind: int) -> Any:
    return faiss.IndexScalarQuantizer(vectors.shape[1], kind, faiss.METRIC_INNER_PRODUCT)


def _fill(index: Any, vectors: Vectors, path: Path) -> None:
    index.train(sample(vectors))
    for block in blocks(vectors):
        index.add(block)
    faiss.write_index(index, str(path))
