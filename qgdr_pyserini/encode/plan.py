"""What an index of a corpus will need, before anything is encoded."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from qgdr_pyserini.encode.faiss_access import SAMPLE, import_faiss, ivf_of, parts, transforms
from qgdr_pyserini.encode.faiss_types import INDEX_TYPES, IndexType

_FLOAT = 4
_NUMBER = 8  # FAISS's numbers of vectors, and places in its lists, are 64-bit integers

# FAISS doubles a list that is full, and holds the old one until it is copied.
_GROWING = 2.5
# A Python string of ASCII takes so many bytes more than its letters, with its place in the list of ids.
_STRING = 57


@dataclasses.dataclass(frozen=True, slots=True)
class PlannedIndex:
    """What an index of one type needs, in bytes.

    Parameters
    ----------
    index_type
        The type.
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


def plan_indexes(
    passages: int, dimension: int, id_length: int, index_types: Sequence[IndexType] = ()
) -> list[PlannedIndex]:
    """Compute what each index type needs.

    Parameters
    ----------
    passages
        How many, at least two.
    dimension
        Of a vector.
    id_length
        Bytes of a passage's id.
    index_types
        Those that are planned; all of `INDEX_TYPES` when there are none.

    Returns
    -------
    list of PlannedIndex
        One for each type, in this order.

    Raises
    ------
    QgdrError
        If FAISS makes no index of such a type.

    Examples
    --------
    >>> [(one.index_type, one.index) for one in plan_indexes(1_000_000, 384, 8)][:3]
    [('flat', 1536000000), ('fp16', 768000000), ('sq8', 384003072)]
    """
    types = index_types or [IndexType(name) for name in INDEX_TYPES]
    return [_planned(kind, passages, dimension, id_length) for kind in types]


def _planned(kind: IndexType, passages: int, dimension: int, id_length: int) -> PlannedIndex:
    faiss, empty = import_faiss(), kind.empty(passages, dimension)
    index = int(passages * _each(empty) + _once(empty))
    raw = passages * dimension * _FLOAT
    flat = isinstance(empty, faiss.IndexFlat)
    return PlannedIndex(
        index_type=kind.name,
        index=index,
        disk=raw + passages * (id_length + 1) + index,
        building=index if flat else int(_GROWING * index) + _learning(empty, passages),
        searching=index + passages * (id_length + _STRING),
    )


def _learning(empty: Any, passages: int) -> int:
    """Tell how much memory the sample takes that an index learns from."""
    if empty.is_trained and not isinstance(empty, import_faiss().IndexScalarQuantizer):
        return 0
    # All passages are a sample that need not be copied; FAISS copies the differences to the cells' centroids.
    ivf = ivf_of(empty)
    copies = (passages > SAMPLE) + 2 * (ivf is not None and hasattr(ivf, "pq"))
    return copies * min(passages, SAMPLE) * int(empty.d) * _FLOAT


def _each(index: Any) -> float:
    """Tell how many bytes a vector takes in an index."""
    faiss = import_faiss()
    if isinstance(index, faiss.IndexHNSW):
        # One vector in M is also in the layer above, and so on; each has its layer and where its links begin.
        graph: Any = index.hnsw
        lowest = graph.nb_neighbors(0)
        links = lowest + lowest / 2 / (lowest / 2 - 1)
        return float(_each(faiss.downcast_index(index.storage)) + links * 4 + 4 + _NUMBER)
    if isinstance(index, faiss.IndexPreTransform):
        return _each(faiss.downcast_index(index.index))
    if isinstance(index, faiss.IndexRefine):
        inner = (index.base_index, index.refine_index)
        return sum(_each(faiss.downcast_index(one)) for one in inner)
    if isinstance(index, faiss.IndexIVF):
        return float(index.code_size + _NUMBER)
    return float(index.sa_code_size())


def _once(index: Any) -> int:
    """Tell how many bytes an index takes beside its vectors: centroids, codebooks, ranges, rotations."""
    faiss, floats = import_faiss(), 0
    for part in parts(index):
        floats += part.pq.ksub * part.d if hasattr(part, "pq") else 0
        floats += 2 * part.d if hasattr(part, "sq") and part.sq.qtype == faiss.ScalarQuantizer.QT_8bit else 0
    for step in transforms(index):
        # A PCA is kept whole, with its mean and its eigenvalues, beside the part that is used.
        whole = step.d_in + 2 if isinstance(step, faiss.PCAMatrix) else 0
        floats += step.d_in * (step.d_out + whole)
    ivf = ivf_of(index)
    cells = 0 if ivf is None else int(ivf.nlist * (_each(faiss.downcast_index(ivf.quantizer)) + _NUMBER))
    return int(floats * _FLOAT + cells)
