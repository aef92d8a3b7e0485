"""What an index of a corpus will need, before anything is encoded."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from qgdr_pyserini.encode.index_shapes import LINKS, cells, code_shape
from qgdr_pyserini.encode.options import INDEX_TYPES
from qgdr_pyserini.encode.samples import SAMPLE

_FLOAT = 4
_NUMBER = 8  # FAISS's numbers of vectors, and places in its lists, are 64-bit integers

# FAISS doubles a list that is full, and holds the old one until it is copied.
_GROWING = 2.5
# A Python string of ASCII takes so many bytes more than its letters, with its place in the list of ids.
_STRING = 57


@dataclasses.dataclass(frozen=True, slots=True)
class PlannedIndex:
    """What one kind of index needs, in bytes.

    Parameters
    ----------
    index_type
        The kind.
    index
        Size of the file ``index``.
    disk
        Most that is on disk while it is made: the vectors, the ids, and the index.
    building
        Memory that making it takes at its highest, beside the program itself; estimated from above.
    searching
        Memory that searching takes, beside the program: the index, and the ids as Pyserini holds them.
    """

    index_type: str
    index: int
    disk: int
    building: int
    searching: int


def plan_indexes(passages: int, dimension: int, id_length: int) -> list[PlannedIndex]:
    """Compute what each kind of index needs.

    Parameters
    ----------
    passages
        How many, at least two.
    dimension
        Of a vector.
    id_length
        Bytes of a passage's id.

    Returns
    -------
    list of PlannedIndex
        One of each kind, in the order of `INDEX_TYPES`.

    Examples
    --------
    >>> [(one.index_type, one.index) for one in plan_indexes(1_000_000, 384, 8)][:3]
    [('flat', 1536000000), ('fp16', 768000000), ('sq8', 384003072)]
    """
    return [_planned(kind, passages, dimension, id_length) for kind in INDEX_TYPES]


def _planned(kind: str, passages: int, dimension: int, id_length: int) -> PlannedIndex:
    index = _SIZES[kind](passages, dimension)
    raw = passages * dimension * _FLOAT
    return PlannedIndex(
        index_type=kind,
        index=index,
        disk=raw + passages * (id_length + 1) + index,
        building=index if kind == "flat" else int(_GROWING * index) + _learning(kind, passages, dimension),
        searching=index + passages * (id_length + _STRING),
    )


def _learning(kind: str, passages: int, dimension: int) -> int:
    """Tell how much memory the sample takes that a kind of index learns from."""
    if kind == "hnsw":
        return 0
    # All passages are a sample that need not be copied; FAISS copies the differences to the cells' centres.
    copies = (passages > SAMPLE) + 2 * (kind == "ivfpq")
    return copies * min(passages, SAMPLE) * dimension * _FLOAT


def _flat(passages: int, dimension: int) -> int:
    return passages * dimension * _FLOAT


def _fp16(passages: int, dimension: int) -> int:
    return passages * dimension * 2


def _sq8(passages: int, dimension: int) -> int:
    return passages * dimension + 2 * dimension * _FLOAT


def _pq(passages: int, dimension: int) -> int:
    return passages * _code(passages, dimension) + _codebook(passages, dimension)


def _hnsw(passages: int, dimension: int) -> int:
    # One vector in LINKS is also in the layer above, and so on; each has its layer and where its links begin.
    links = (2 * LINKS + LINKS / (LINKS - 1)) * 4
    return int(passages * (dimension * _FLOAT + links + 4 + _NUMBER))


def _ivf(passages: int, dimension: int) -> int:
    return passages * (dimension * _FLOAT + _NUMBER) + _centres(passages, dimension)


def _ivfpq(passages: int, dimension: int) -> int:
    codes = passages * (_code(passages, dimension) + _NUMBER)
    return codes + _codebook(passages, dimension) + _centres(passages, dimension)


def _code(passages: int, dimension: int) -> int:
    parts, bits = code_shape(passages, dimension)
    return -(-parts * bits // 8)


def _codebook(passages: int, dimension: int) -> int:
    return int(2 ** code_shape(passages, dimension)[1] * dimension * _FLOAT)


def _centres(passages: int, dimension: int) -> int:
    return cells(passages) * (dimension * _FLOAT + _NUMBER)


_SIZES: dict[str, Callable[[int, int], int]] = {
    "flat": _flat,
    "fp16": _fp16,
    "sq8": _sq8,
    "pq": _pq,
    "hnsw": _hnsw,
    "ivf": _ivf,
    "ivfpq": _ivfpq,
}
