"""The kinds of index that a corpus can be encoded into: one file and one row each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qgdr_pyserini.encode.flat_index import write_flat_index
from qgdr_pyserini.encode.vectors import Vectors

INDEX_TYPES: dict[str, Callable[[Vectors, Path], None]] = {
    "flat": write_flat_index,
}
"""By name, what writes vectors ``(passages, dimension)`` as a FAISS index to a file."""
