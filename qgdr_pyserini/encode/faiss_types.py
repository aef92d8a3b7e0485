"""Index types: a name of ours or a FAISS factory string, its parameters checked, and the index it makes.

FAISS is imported where it is first needed: `INDEX_TYPES` costs the command line nothing.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qgdr_pyserini.encode.faiss_access import SAMPLE, blocks, import_faiss, ivf_of, parts, sample, transforms
from qgdr_pyserini.errors import QgdrError

if TYPE_CHECKING:
    from qgdr_pyserini.model.dual_encoder import Vectors

# "np": without polysemous training, which only reorders codes and which no search of ours makes use of.
FACTORY_STRINGS = {
    "flat": "Flat",
    "fp16": "SQfp16",
    "sq8": "SQ8",
    "pq": "PQ{pq_m}x{pq_nbits}np",
    "hnsw": "HNSW{hnsw_m},Flat",
    "ivf": "IVF{nlist},Flat",
    "ivfpq": "IVF{nlist},PQ{pq_m}x{pq_nbits}np",
}
"""By name, the factory string that an index type stands for."""

INDEX_TYPES = tuple(FACTORY_STRINGS)

HNSW_M = 32
EF_CONSTRUCTION = 200
EF_SEARCH = 128

# A quarter of the cells costs a quarter of an exhaustive search and finds nearly everything.
_PROBED = 1 / 4
_MOST_PROBED = 64
# FAISS asks for at least 39 vectors a cell to place its centroid.
_LEAST_PER_CELL = 39
# Components that share a byte of a product code: 4 make an index 16 times smaller than the flat one.
_COMPONENTS_PER_BYTE = 4
# A codebook has 2^nbits entries: more bits than this, and it alone fills the memory.
_MOST_BITS = 16
# To look at an index before the passages are counted.
_MANY = 1_000_000

_HOW_TO_CHOOSE = f"choose one of {', '.join(INDEX_TYPES)}, or a FAISS factory string such as IVF256,PQ16"


@dataclasses.dataclass(frozen=True, slots=True)
class IndexParameters:
    """What FAISS calls M, efConstruction, efSearch, nlist, nprobe, m and nbits; None leaves one to us.

    Parameters
    ----------
    hnsw_m
        Links of a vector in the upper layers of an HNSW graph; twice as many in the lowest.
    ef_construction, ef_search
        Candidates that are kept while the graph is built, and while it is searched.
    nlist, nprobe
        Cells of an inverted file, and those that a search visits.
    pq_m, pq_nbits
        Parts that a product code cuts a vector into, and bits of each.
    """

    hnsw_m: int | None = None
    ef_construction: int | None = None
    ef_search: int | None = None
    nlist: int | None = None
    nprobe: int | None = None
    pq_m: int | None = None
    pq_nbits: int | None = None

    def given(self) -> dict[str, int]:
        """Return those that are not left to us, by name."""
        return {name: value for name, value in dataclasses.asdict(self).items() if value is not None}


DEFAULTS = IndexParameters()
"""Everything left to us."""


@dataclasses.dataclass(frozen=True, slots=True)
class IndexType:
    """An index type with its parameters.

    Parameters
    ----------
    name
        One of `INDEX_TYPES`, or a string that ``faiss.index_factory`` takes.
    parameters
        For a name, those of its kind of index; beside a factory string, which says the rest itself, those
        of building and searching: efConstruction, efSearch, nprobe.

    Examples
    --------
    >>> IndexType("ivf").factory_string(count=1_000_000, dimension=384)
    'IVF4000,Flat'
    >>> IndexType("ivfpq", IndexParameters(nlist=256)).factory_string(count=1_000_000, dimension=384)
    'IVF256,PQ96x8np'
    """

    name: str = "flat"
    parameters: IndexParameters = DEFAULTS

    def __str__(self) -> str:
        given = ", ".join(f"{name} {value}" for name, value in self.parameters.given().items())
        return f"{self.name} ({given})" if given else self.name

    def otherwise(self, name: str | None, parameters: IndexParameters) -> IndexType:
        """Return the type asked for where this one was before; what is left open stays.

        Examples
        --------
        >>> before = IndexType("ivf", IndexParameters(nlist=64, nprobe=4))
        >>> print(before.otherwise(None, IndexParameters(nprobe=8)))
        ivf (nlist 64, nprobe 8)
        >>> print(before.otherwise("sq8", DEFAULTS))
        sq8
        """
        kept = self.parameters.given() if name in (None, self.name) else {}
        return IndexType(self.name if name is None else name, IndexParameters(**kept | parameters.given()))

    def factory_string(self, count: int, dimension: int) -> str:
        """Return the FAISS factory string for ``count`` vectors of ``dimension`` components.

        Raises
        ------
        QgdrError
            If there are too few vectors for a code.
        """
        template = FACTORY_STRINGS.get(self.name, self.name)
        if template == self.name or "{" not in template:
            return template
        shape = {"hnsw_m": HNSW_M, "nlist": cells(count)}
        if "{pq_m}" in template:
            shape["pq_m"], shape["pq_nbits"] = code_shape(count, dimension, self.name)
        return template.format(**shape | self.parameters.given())

    def refuse_unusable(self, dimension: int) -> None:
        """Raise `QgdrError` if FAISS makes no index of this type, or a parameter has no place in it."""
        self.empty(_MANY, dimension)

    def empty(self, count: int, dimension: int) -> Any:
        """Make the FAISS index for ``count`` vectors of ``dimension`` components, without any in it.

        Raises
        ------
        QgdrError
            As `refuse_unusable`.
        """
        faiss = import_faiss()
        string = self.factory_string(count, dimension)
        self._refuse_numbers(string)
        try:
            index = faiss.index_factory(dimension, string, faiss.METRIC_INNER_PRODUCT)
        except (RuntimeError, MemoryError) as error:
            raise self._refused(_reason(error)) from None
        self._refuse_parts(index)
        self._refuse_parameters(index)
        self._set(index)
        return index

    def write(self, vectors: Vectors, path: Path) -> None:
        """Write vectors ``(passages, dimension)`` as an index of this type.

        What decides how widely a search looks (``nprobe``, ``efSearch``) is saved in the file, where Pyserini
        finds it: as given, else a quarter of the cells, 64 at most, and 128. With several threads an HNSW
        graph depends on their timing, so two builds from the same vectors may differ in a few links.

        Raises
        ------
        QgdrError
            If there are too few vectors for this type, or the file cannot be written.

        References
        ----------
        Jégou, Douze, Schmid: Product Quantization for Nearest Neighbor Search. IEEE TPAMI 33 (1), 2011.
        Malkov, Yashunin: Efficient and Robust Approximate Nearest Neighbor Search Using Hierarchical
        Navigable Small World Graphs. IEEE TPAMI 42 (4), 2020.
        """
        count, dimension = vectors.shape
        index = self.empty(count, dimension)
        for step in transforms(index):
            # FAISS 1.15 writes beyond its buffer, and the process dies.
            if isinstance(step, import_faiss().OPQMatrix) and count < step.d_in:
                raise self._too_few(count, f"OPQ needs as many as a vector has components, {step.d_in}")
        try:
            self._fill(index, vectors)
        except RuntimeError as error:
            raise self._too_few(count, _reason(error)) from None
        try:
            import_faiss().write_index(index, str(path))
        except RuntimeError as error:
            if "write error" not in str(error):
                raise
            raise QgdrError(f"{path}: cannot be written; make room, then go on with --resume") from None

    def _fill(self, index: Any, vectors: Vectors) -> None:
        if self.name == "flat":
            # All at once: FAISS then allocates exactly what it needs, where blocks make it grow by doubling.
            index.add(vectors)
            return
        if not index.is_trained:
            with _quiet_opq(index):
                index.train(sample(vectors, self._sample_size(index)))
        for block in blocks(vectors):
            index.add(block)

    def _sample_size(self, index: Any) -> int:
        ivf = ivf_of(index)
        ours = ivf is None or (self.name in FACTORY_STRINGS and self.parameters.nlist is None)
        return SAMPLE if ours else max(SAMPLE, _LEAST_PER_CELL * ivf.nlist)

    def _set(self, index: Any) -> None:
        """Set what a factory string does not say."""
        given = self.parameters
        for part in parts(index):
            if hasattr(part, "hnsw"):
                part.hnsw.efConstruction = given.ef_construction or EF_CONSTRUCTION
                part.hnsw.efSearch = given.ef_search or EF_SEARCH
            if hasattr(part, "pq"):
                # A small corpus is no reason for FAISS to warn once a part.
                part.pq.cp.min_points_per_centroid = 1
        ivf = ivf_of(index)
        if ivf is not None:
            ivf.nprobe = given.nprobe or max(1, min(round(ivf.nlist * _PROBED), _MOST_PROBED))

    def _refuse_numbers(self, string: str) -> None:
        """Refuse numbers that FAISS takes and fails on later, by filling the memory or dividing by zero."""
        for bits in re.findall(r"(?:PQ|RQ|LSQ)\d+x(\d+)", string):
            if not 1 <= int(bits) <= _MOST_BITS:
                raise self._refused(f"a code of {bits} bits a part; 1 to {_MOST_BITS} are possible")
        if any(int(links) < 2 for links in re.findall(r"(?:HNSW|NSG)(\d+)", string)):
            raise self._refused("a graph needs two links a vector at least")
        if any(int(number) < 1 for number in re.findall(r"IVF(\d+)", string)):
            raise self._refused("an inverted file needs a cell")

    def _refuse_parts(self, index: Any) -> None:
        """Refuse what FAISS makes and fails on later."""
        faiss = import_faiss()
        for part in parts(index):
            if isinstance(part, faiss.IndexIDMap):
                raise self._refused("Pyserini finds passages by their row, so IDMap has no place in it")
        for step in transforms(index):
            if isinstance(step, faiss.PCAMatrix) and step.d_out > step.d_in:
                raise self._refused(f"PCA cannot make {step.d_out} components of {step.d_in}")

    def _refuse_parameters(self, index: Any) -> None:
        """Refuse a parameter that this type of index does not have."""
        template = FACTORY_STRINGS.get(self.name, "")
        has = {
            "ef_construction": any(hasattr(part, "hnsw") for part in parts(index)),
            "ef_search": any(hasattr(part, "hnsw") for part in parts(index)),
            "nprobe": ivf_of(index) is not None,
        }
        for name in self.parameters.given():
            if has.get(name, f"{{{name}}}" in template):
                continue
            option = f"--{name.replace('_', '-')}"
            if name in has or template:
                raise QgdrError(f"index type {self.name}: has no {option}; leave it out")
            raise QgdrError(f"index type {self.name}: a factory string says {option} itself; write it there")

    def _too_few(self, count: int, why: str) -> QgdrError:
        return QgdrError(
            f"index type {self.name}: cannot be made of {count:,} passages ({why}); choose another with "
            "--index-type, beside --resume where they are encoded already"
        )

    def _refused(self, why: str) -> QgdrError:
        return QgdrError(f"index type {self.name!r}: {why}; {_HOW_TO_CHOOSE}")


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
        The index type, for the error.

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


@contextlib.contextmanager
def _quiet_opq(index: Any) -> Iterator[None]:
    """Have rotations learned with codes like the index's, and without a warning for each of their parts."""
    faiss = import_faiss()
    rotations = [step for step in transforms(index) if isinstance(step, faiss.OPQMatrix)]
    bits = next((part.pq.nbits for part in parts(index) if hasattr(part, "pq")), 8)
    codes = [faiss.ProductQuantizer(step.d_out, step.M, bits) for step in rotations]
    for step, code in zip(rotations, codes, strict=True):
        code.cp.min_points_per_centroid = 1
        step.pq = code
    try:
        yield
    finally:
        for step in rotations:  # the codes are gone with this function, and FAISS would still point to them
            step.pq = None


def _reason(error: BaseException) -> str:
    """Shorten what FAISS says to what its user can use."""
    text = " ".join(str(error).split())
    text = re.sub(r"^Error in .*?(?:\.cpp|\.h):\d+: (?:Error: )?", "", text)
    # "'!(d % M == 0)' failed: The dimension of …": the words say it better, where there are any.
    return re.sub(r"^'[^']*' failed: (?=\S)", "", text) or "FAISS cannot make it"
