"""A graph index: every vector linked with near ones, a search walks from neighbour to neighbour."""

from __future__ import annotations

from pathlib import Path

import torch  # noqa: F401  before faiss, see flat_index

# isort: split
import faiss

from qgdr_pyserini.encode.index_shapes import LINKS
from qgdr_pyserini.encode.samples import blocks
from qgdr_pyserini.encode.vectors import Vectors

EFFORT_BUILDING = 200
EFFORT_SEARCHING = 128


def write_hnsw_index(vectors: Vectors, path: Path) -> None:
    """Write vectors ``(passages, dimension)`` as a FAISS ``IndexHNSWFlat``.

    How wide a search looks (``efSearch``) is saved in the file. With several threads the graph depends on
    their timing, so two builds from the same vectors may differ in a few links.

    References
    ----------
    Malkov, Yashunin: Efficient and Robust Approximate Nearest Neighbor Search Using Hierarchical Navigable
    Small World Graphs. IEEE TPAMI 42 (4), 2020.
    """
    index = faiss.IndexHNSWFlat(vectors.shape[1], LINKS, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = EFFORT_BUILDING
    index.hnsw.efSearch = EFFORT_SEARCHING
    for block in blocks(vectors):
        index.add(block)
    faiss.write_index(index, str(path))
