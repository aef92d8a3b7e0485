"""An index as files that Milvus imports in bulk."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet

from qgdr_pyserini.encode.export import StoredVectors
from qgdr_pyserini.encode.manifest import MANIFEST, IndexManifest
from qgdr_pyserini.files import atomic_directory, atomic_text

SCHEMA = "schema.json"
_MOST_OF_A_STRING = 65_535  # bytes of a Milvus VARCHAR


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
