"""What fixes the size of an index: links of a graph, cells, parts and bits of a product code."""

from __future__ import annotations

import math

from qgdr_pyserini.errors import QgdrError

LINKS = 32
"""Of a vector of a graph index in its upper layers; in the lowest it has twice as many."""

# Components that share a byte of a product code: 4 make an index 16 times smaller than the flat one.
_COMPONENTS_PER_BYTE = 4
# FAISS asks for at least 39 vectors a cell to place its centre.
_LEAST_PER_CELL = 39


def cells(count: int) -> int:
    """Tell into how many cells an inverted file puts ``count`` vectors: about four times the square root.

    Examples
    --------
    >>> cells(1_000_000), cells(1_000)
    (4000, 25)
    """
    return max(1, min(int(4 * math.sqrt(count)), count // _LEAST_PER_CELL))


def code_shape(count: int, dimension: int, kind: str = "pq") -> tuple[int, int]:
    """Tell into how many parts a product code cuts a vector, and how many bits each part has.

    Parameters
    ----------
    count
        Vectors that the code is learned from.
    dimension
        Of a vector.
    kind
        The kind of index, for the error.

    Raises
    ------
    QgdrError
        If there are too few vectors to learn a code from.

    Examples
    --------
    >>> code_shape(1_000_000, 384)
    (96, 8)
    """
    bits = min(8, count.bit_length() - 1)
    if bits < 1:
        raise QgdrError(f"index type {kind} needs two passages at least; choose flat")
    most = dimension // _COMPONENTS_PER_BYTE or 1
    return next(parts for parts in range(most, 0, -1) if dimension % parts == 0), bits
