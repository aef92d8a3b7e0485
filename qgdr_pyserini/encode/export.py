"""The vectors in an index, with their ids, for other systems; for Milvus, as files to import in bulk."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet

from qgdr_pyserini.encode.faiss_access import BLOCK, ivf_of, open_index
from qgdr_pyserini.encode.importing import Block
from qgdr_pyserini.encode.manifest import MANIFEST, IndexManifest
from qgdr_pyserini.errors import InputError
from qgdr_pyserini.files import atomic_directory, atomic_text, read_lines

SCHEMA = "schema.json"
_MOST_OF_A_STRING = 65_535  # bytes of a Milvus VARCHAR


class StoredVectors:
    """What an index holds, in the order of the corpus.

    Indexes that keep codes (fp16, sq8, pq, ivfpq, …) give what these stand for: the vectors they search.

    Parameters
    ----------
    index
        The directory of an index that this package made.

    Raises
    ------
    InputError
        If it is none, or it is damaged.
    """

    def __init__(self, index: str | os.PathLike[str]) -> None:
        self._place = Path(index)
        self.manifest = IndexManifest.read(self._place)
        self._index = self._open()

    def blocks(self, size: int = BLOCK) -> Iterator[Block]:
        """Yield ids and their vectors ``(ids, dimension)``, up to ``size`` at a time.

        Raises
        ------
        InputError
            If there are not as many ids as vectors.
        """
        docids = (line for _, line in read_lines(self._place / "docid"))
        for start in range(0, self._index.ntotal, size):
            rows = np.arange(start, min(start + size, self._index.ntotal))
            ids = list(islice(docids, len(rows)))
            if len(ids) != len(rows):
                raise InputError("has fewer ids than vectors; encode the corpus again", self._place)
            yield ids, self._index.reconstruct_batch(rows)
        if next(docids, None) is not None:
            raise InputError("has more ids than vectors; encode the corpus again", self._place)

    def _open(self) -> Any:
        index = open_index(self._place)
        if (index.ntotal, index.d) != (self.manifest.passages, self.manifest.dimension):
            raise InputError("its vectors are not those of qgdr.json; encode the corpus again", self._place)
        ivf = ivf_of(index)
        if ivf is not None:
            ivf.make_direct_map()
        return index


def export_to_milvus(
    index: str | os.PathLike[str], output: str | os.PathLike[str], *, overwrite: bool = False
) -> IndexManifest:
    """Write an index's vectors as Parquet files that Milvus imports, and the schema of their collection.

    Parameters
    ----------
    index
        The directory of an index that this package made.
    output
        A directory for ``part-00001.parquet`` and so on, with columns ``id`` (VARCHAR) and ``vector``
        (FLOAT_VECTOR); ``schema.json``, the fields, and the metric to search with; and ``qgdr.json``, the
        index's own.
    overwrite
        Replace what stands there.

    Returns
    -------
    IndexManifest
        Of the index.

    Raises
    ------
    QgdrError
        If the index cannot be read, or ``output`` exists and is not to be replaced.
    """
    stored = StoredVectors(index)
    longest = 1
    with atomic_directory(output, overwrite=overwrite) as folder:
        for number, (ids, vectors) in enumerate(stored.blocks(), 1):
            longest = max(longest, *(len(docid.encode()) for docid in ids))
            flat = pyarrow.array(np.ascontiguousarray(vectors).reshape(-1))
            starts = pyarrow.array(np.arange(0, vectors.size + 1, vectors.shape[1], dtype=np.int32))
            columns = {"id": pyarrow.array(ids), "vector": pyarrow.ListArray.from_arrays(starts, flat)}
            pyarrow.parquet.write_table(pyarrow.table(columns), folder / f"part-{number:05}.parquet")
        _write_schema(folder / SCHEMA, stored.manifest.dimension, min(longest, _MOST_OF_A_STRING))
        stored.manifest.write(folder / MANIFEST)
    return stored.manifest


def _write_schema(path: Path, dimension: int, longest: int) -> None:
    fields = [
        {"name": "id", "type": "VARCHAR", "max_length": longest, "is_primary": True},
        {"name": "vector", "type": "FLOAT_VECTOR", "dim": dimension},
    ]
    with atomic_text(path) as file:
        json.dump({"fields": fields, "metric_type": "IP"}, file, indent=2)
        file.write("\n")
