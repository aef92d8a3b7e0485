"""Inverted-file indexes: vectors, or their product codes, in cells, of which a search visits the nearest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch  # noqa: F401  before faiss, see flat_index

# isort: split
import faiss

from qgdr_pyserini.encode.index_shapes import cells, code_shape
from qgdr_pyserini.encode.samples import blocks, sample
from qgdr_pyserini.encode.vectors import Vectors

# A quarter of the cells costs a quarter of an exhaustive search and finds nearly everything.
_VISITED = 1 / 4
_MOST_VISITED = 64


def write_ivf_index(vectors: Vectors, path: Path) -> None:
    """Write vectors ``(passages, dimension)`` as a FAISS ``IndexIVFFlat``.

    There are about four times the square root of the passages' number of cells. How many of them a search
    visits is saved in the file: a quarter, at least one and at most 64.
    """
    count, dimension = vectors.shape
    quantizer = faiss.IndexFlatIP(dimension)
    _fill(faiss.IndexIVFFlat(quantizer, dimension, cells(count), faiss.METRIC_INNER_PRODUCT), vectors, path)


def write_ivfpq_index(vectors: Vectors, path: Path) -> None:
    """Write vectors ``(passages, dimension)`` as a FAISS ``IndexIVFPQ``.

    The cells are those of `write_ivf_index`; a product code holds the difference to a cell's centre.

    References
    ----------
    Jégou, Douze, Schmid: Product Quantization for Nearest Neighbor Search. IEEE TPAMI 33 (1), 2011.
    """
    count, dimension = vectors.shape
    shape = cells(count), *code_shape(count, dimension, "ivfpq")
    quantizer = faiss.IndexFlatIP(dimension)
    index = faiss.IndexIVFPQ(quantizer, dimension, *shape, faiss.METRIC_INNER_PRODUCT)
    index.pq.cp.min_points_per_centroid = 1  # a small corpus is no reason for FAISS to warn once a part
    _fill(index, vectors, path)


def _fill(index: Any, vectors: Vectors, path: Path) -> None:
    index.train(sample(vectors))
    for block in blocks(vectors):
        index.add(block)
    index.nprobe = max(1, min(round(index.nlist * _VISITED), _MOST_VISITED))
    faiss.write_index(index, str(path))
