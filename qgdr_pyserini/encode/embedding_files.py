"""Vectors with their ids in the files that other tools write: NumPy, Parquet, Tevatron's pickles."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet

from qgdr_pyserini.encode.samples import BLOCK
from qgdr_pyserini.encode.vectors import Vectors
from qgdr_pyserini.errors import InputError, QgdrError, first_line
from qgdr_pyserini.files import read_lines

Block = tuple[list[str], Vectors]
"""Ids, and their vectors ``(ids, dimension)``."""

ID_COLUMNS = ("id", "_id", "docid")
VECTOR_COLUMNS = ("embedding", "embeddings", "vector")


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
