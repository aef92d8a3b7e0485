"""Indexes of vectors that another tool computed, read from NumPy, Parquet and Tevatron's pickles."""

from __future__ import annotations

import hashlib
import itertools
import os
import pickle
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet

from qgdr_pyserini.encode.faiss_access import BLOCK
from qgdr_pyserini.encode.faiss_types import DEFAULTS, IndexParameters, IndexType
from qgdr_pyserini.encode.journal import refuse_not_finite
from qgdr_pyserini.encode.manifest import MANIFEST, UNKNOWN, IndexManifest
from qgdr_pyserini.encode.options import WHOLE
from qgdr_pyserini.errors import InputError, QgdrError, first_line
from qgdr_pyserini.files import atomic_directory, read_lines
from qgdr_pyserini.lock import only_writer
from qgdr_pyserini.model.dual_encoder import DualEncoder, Vectors
from qgdr_pyserini.model.registry import encoder_name, find_encoder

Block = tuple[list[str], Vectors]
"""Ids, and their vectors ``(ids, dimension)``."""

ID_COLUMNS = ("id", "_id", "docid")
VECTOR_COLUMNS = ("embedding", "embeddings", "vector")

_VECTORS = "vectors.f32"
# How far from 1 the length of a normalised vector may be.
_UNIT = 1e-3


def read_embeddings(
    path: str | os.PathLike[str], ids: str | os.PathLike[str] | None = None, *, allow_pickle: bool = False
) -> Iterator[Block]:
    """Stream vectors with their ids, in the file's order.

    Parameters
    ----------
    path
        ``.npy``, an array ``(passages, dimension)`` of floats; ``.parquet``, with a column of `ID_COLUMNS`
        and a column of lists of `VECTOR_COLUMNS`; or ``.pkl``, a pair of such an array and its ids.
    ids
        For ``.npy``, a text file of ids, one a line.
    allow_pickle
        Whether to open a pickle. Whoever wrote it can have it run any program.

    Yields
    ------
    tuple of list of str and numpy.ndarray
        Some ids, and their vectors as float32.

    Raises
    ------
    QgdrError
        If the file is none of these, its ids and vectors do not match, or it is a pickle and not allowed.
    """
    file = Path(path)
    if not file.is_file():
        raise InputError("no such file", file)
    if (ids is not None) != (file.suffix == ".npy"):
        raise InputError("needs --ids exactly if it is a .npy file; others hold their ids", file)
    if file.suffix == ".npy":
        yield from _blocks(_open_npy(file), _read_ids(Path(ids or "")), file)
    elif file.suffix == ".parquet":
        yield from _read_parquet(file)
    elif file.suffix in (".pkl", ".pickle", ".pt"):
        if not allow_pickle:
            raise InputError("a pickle can run any program; if you trust it, pass --allow-pickle", file)
        yield from _blocks(*_open_pickle(file), file)
    else:
        raise InputError("embeddings come as .npy, .parquet or .pkl; convert it", file)


def _open_npy(file: Path) -> Any:
    try:
        return np.load(file, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise InputError(f"not an array of numbers ({first_line(error)})", file) from None


def _read_ids(file: Path) -> list[str]:
    return [line for _, line in read_lines(file)]


def _open_pickle(file: Path) -> tuple[Any, list[str]]:
    """Read Tevatron's pair of an array and its ids."""
    try:
        with file.open("rb") as raw:
            vectors, ids = pickle.load(raw)
        return np.asarray(vectors), [str(docid) for docid in ids]
    except Exception as error:
        raise InputError(f"not a pickled pair of vectors and ids ({first_line(error)})", file) from None


def _blocks(vectors: Any, ids: list[str], file: Path) -> Iterator[Block]:
    if vectors.ndim != 2 or not np.issubdtype(vectors.dtype, np.floating):
        kind = f"{vectors.dtype} of shape {vectors.shape}"
        raise InputError(f"needs floats of shape (passages, dimension), not {kind}", file)
    if len(vectors) != len(ids):
        raise InputError(f"holds {len(vectors):,} vectors, but there are {len(ids):,} ids", file)
    for start in range(0, len(ids), BLOCK):
        part = np.asarray(vectors[start : start + BLOCK], dtype=np.float32)
        yield ids[start : start + BLOCK], part


def _read_parquet(file: Path) -> Iterator[Block]:
    try:
        table = pyarrow.parquet.ParquetFile(file)
        columns = [_column(table, names, file) for names in (ID_COLUMNS, VECTOR_COLUMNS)]
        for batch in table.iter_batches(BLOCK, columns=columns):
            ids, lists = (batch.column(name) for name in columns)
            yield [str(docid) for docid in ids.to_pylist()], _matrix(lists, file)
    except pyarrow.ArrowException as error:
        raise InputError(f"not a Parquet file ({first_line(error)})", file) from None


def _column(table: Any, names: tuple[str, ...], file: Path) -> str:
    found = next((name for name in names if name in table.schema_arrow.names), None)
    if found is None:
        raise InputError(f"no column {', '.join(names)}; rename the one that is meant", file)
    return found


def _matrix(lists: Any, file: Path) -> Vectors:
    if lists.null_count or not hasattr(lists, "flatten"):
        raise InputError("its vectors must be lists of numbers, none missing", file)
    lengths = {len(row) for row in lists}
    if len(lengths) != 1:
        raise InputError(f"its vectors have different lengths: {sorted(lengths)[:3]}", file)
    try:
        flat = lists.flatten().cast(pyarrow.float32(), safe=False).to_numpy(zero_copy_only=False)
    except pyarrow.ArrowException:
        raise InputError("its vectors must be lists of numbers, none missing", file) from None
    matrix: Vectors = flat.reshape(len(lists), -1)
    return matrix


def refuse_bad_ids(ids: list[str], seen: set[str], source: str | os.PathLike[str]) -> None:
    """Raise `QgdrError` if an id is empty, holds whitespace, or was ``seen`` before; add them to these."""
    for docid in ids:
        if docid.split() != [docid]:
            raise QgdrError(f"{source}: id {docid!r} is empty or holds whitespace, which TREC files cannot")
        if docid in seen:
            raise QgdrError(f"{source}: id {docid!r} is there twice; ids must differ")
        seen.add(docid)


def import_embeddings(
    files: Sequence[str | os.PathLike[str]],
    index: str | os.PathLike[str],
    *,
    ids: Sequence[str | os.PathLike[str]] = (),
    encoder: str | None = None,
    index_type: str = "flat",
    index_parameters: IndexParameters = DEFAULTS,
    allow_pickle: bool = False,
    overwrite: bool = False,
) -> IndexManifest:
    """Make an index of vectors that are there already.

    Parameters
    ----------
    files
        What `read_embeddings` reads, in the order wanted.
    index
        The index's directory.
    ids
        For ``.npy`` files, their id files, in the same order.
    encoder
        Name or path of the encoder of ours that computed them; None where another did.
    index_type, index_parameters
        As for `IndexType`.
    allow_pickle
        As for `read_embeddings`.
    overwrite
        Replace an index that stands there.

    Returns
    -------
    IndexManifest
        Of the index written.

    Raises
    ------
    QgdrError
        If a file cannot be used, vectors differ in dimension or are not finite, an id is there twice, the
        encoder makes vectors of another dimension, or there is no such index type.
    """
    if ids and len(ids) != len(files):
        raise QgdrError(f"{len(files)} --vectors need as many --ids, not {len(ids)}")
    pairs = list(itertools.zip_longest(files, ids))
    with only_writer(Path(index)), atomic_directory(index, overwrite=overwrite) as work:
        blocks = (
            (file, block)
            for file, names in pairs
            for block in read_embeddings(file, names, allow_pickle=allow_pickle)
        )
        kind = IndexType(index_type, index_parameters)
        written = _write(blocks, work, kind)
        if not written.count:
            raise InputError("holds no vectors", files[0])
        manifest = _manifest(written, encoder, kind, files)
        shape = (written.count, written.dimension)
        vectors = np.memmap(work / _VECTORS, dtype=np.float32, mode="r", shape=shape)
        kind.write(vectors, work / "index")
        (work / _VECTORS).unlink()
        manifest.write(work / MANIFEST)
    return manifest


class _Written:
    """What has been copied so far."""

    def __init__(self) -> None:
        self.count, self.dimension = 0, 0
        self.normalized = True
        self.digest = hashlib.sha256()
        self.seen: set[str] = set()

    def take(self, source: str | os.PathLike[str], ids: list[str], vectors: Vectors) -> None:
        self.dimension = self.dimension or vectors.shape[1]
        if vectors.shape[1] != self.dimension:
            raise QgdrError(
                f"{source}: vectors of dimension {vectors.shape[1]}, but those before have {self.dimension}"
            )
        refuse_bad_ids(ids, self.seen, source)
        refuse_not_finite(ids, vectors)
        self.normalized &= bool((np.abs(np.linalg.norm(vectors, axis=1) - 1) < _UNIT).all())
        self.digest.update("".join(f"{docid}\n" for docid in ids).encode())
        self.count += len(ids)


def _write(blocks: Iterator[tuple[str | os.PathLike[str], Block]], work: Path, kind: IndexType) -> _Written:
    written = _Written()
    with (work / _VECTORS).open("wb") as raw, (work / "docid").open("w", encoding="utf-8") as docids:
        for source, (ids, vectors) in blocks:
            if not written.count:
                kind.refuse_unusable(vectors.shape[1])
            written.take(source, ids, vectors)
            raw.write(np.ascontiguousarray(vectors).data)
            docids.writelines(f"{docid}\n" for docid in ids)
    return written


def _manifest(
    written: _Written, encoder: str | None, kind: IndexType, files: Sequence[str | os.PathLike[str]]
) -> IndexManifest:
    name, fingerprint, pooling, length = UNKNOWN, UNKNOWN, UNKNOWN, 0
    if encoder is not None:
        folder = find_encoder(encoder)
        model = DualEncoder.from_pretrained(folder)
        if model.dimension != written.dimension:
            raise QgdrError(
                f"the vectors have dimension {written.dimension}, those of {folder.name} {model.dimension}"
            )
        name, fingerprint = encoder_name(folder), model.fingerprint
        pooling, length = model.config.pooling, model.config.passage_max_length
    return IndexManifest(
        encoder=name,
        fingerprint=fingerprint,
        dimension=written.dimension,
        pooling=pooling,
        normalized=written.normalized,
        max_length=length,
        precision=UNKNOWN,
        index_type=kind.name,
        passages=written.count,
        window=0,
        batch_tokens=0,
        shard=str(WHOLE),
        corpus_passages=written.count,
        files=[[Path(file).name, Path(file).stat().st_size] for file in files],
        contents=written.digest.hexdigest()[:32],
        index_parameters=kind.parameters.given() or None,
    )
