"""An inverted-file index: vectors in cells, of which a search visits the nearest."""

from __future__ import annotations

import math
from pathlib import Path

import torch  # noqa: F401  before faiss, see flat_index

# isort: split
import faiss

from qgdr_pyserini.encode.samples import blocks, sample
from qgdr_pyserini.encode.vectors import Vectors

# FAISS asks for at least 39 vectors a cell to place its centre.
_LEAST_PER_CELL = 39
# A quarter of the cells costs a quarter of an exhaustive search and finds nearly everything.
_VISITED = 1 / 4
_MOST_VISITED = 64


def write_ivf_index(vectors: Vectors, path: Path) -> None:
    """Write vectors ``(passages, dimension)`` as a FAISS ``IndexIVFFlat``.

    There are about four times the square root of the passages' number of cells. How many of them a search
    visits is saved in the file: a quarter, at least one and at most 64.
    """
    count, dimension = vectors.shape
    cells = max(1, min(int(4 * math.sqrt(count)), count // _LEAST_PER_CELL))
    quantizer = faiss.IndexFlatIP(dimension)
    index = faiss.IndexIVFFlat(quantizer, dimension, cells, faiss.METRIC_INNER_PRODUCT)
    index.train(sample(vectors))
    for block in blocks(vectors):
        index.add(block)
    index.nprobe = max(1, min(round(cells * _VISITED), _MOST_VISITED))
    faiss.write_index(index, str(path))
