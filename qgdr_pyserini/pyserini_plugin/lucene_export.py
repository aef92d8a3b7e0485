"""An index as one that Lucene searches, written by Anserini."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from qgdr_pyserini.encode.export import StoredVectors
from qgdr_pyserini.encode.importing import Block
from qgdr_pyserini.encode.manifest import MANIFEST, IndexManifest
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.files import atomic_directory
from qgdr_pyserini.pyserini_plugin.jvm import java_class, silence_logs
from qgdr_pyserini.pyserini_plugin.lucene import java_errors

Kind = Literal["hnsw", "flat"]

PASSAGES_A_FILE = 10_000
"""Anserini gives each thread a file."""

_LINES = "vectors"


def export_to_lucene(
    index: str | os.PathLike[str],
    output: str | os.PathLike[str],
    kind: Kind = "hnsw",
    *,
    threads: int | None = None,
    overwrite: bool = False,
    advance: Callable[[int], object] = lambda count: None,
) -> IndexManifest:
    """Write an index's vectors as a Lucene index for ``pyserini.search.lucene --dense``.

    Parameters
    ----------
    index
        The directory of an index that this package made.
    output
        The Lucene index's directory; the index's ``qgdr.json`` is put beside Lucene's files.
    kind
        ``hnsw``, a graph, or ``flat``, searched exhaustively.
    threads
        Threads that index; all cores when None.
    overwrite
        Replace what stands there.
    advance
        Called with the number of passages read since the last call.

    Returns
    -------
    IndexManifest
        Of the index.

    Raises
    ------
    QgdrError
        If the index cannot be read, ``output`` exists and is not to be replaced, there is no Java, or Lucene
        cannot write.
    """
    stored = StoredVectors(index)
    silence_logs()
    with atomic_directory(output, overwrite=overwrite) as folder:
        lines = folder / _LINES
        lines.mkdir()
        for number, block in enumerate(stored.blocks(PASSAGES_A_FILE)):
            _write(block, lines / f"{number:07}.jsonl")
            advance(len(block[0]))
        with java_errors(folder, "Lucene cannot write the index"):
            _build(lines, folder, kind, threads or os.cpu_count() or 1)
            found = _count(folder)
        if found != stored.manifest.passages:
            raise QgdrError(f"{output}: Lucene took {found:,} of {stored.manifest.passages:,} passages")
        shutil.rmtree(lines)
        stored.manifest.write(folder / MANIFEST)
    return stored.manifest


def _write(block: Block, path: Path) -> None:
    """Write vectors as Anserini's ``JsonDenseVectorCollection``; ``str`` of a float32 is exact and short."""
    with path.open("w", encoding="utf-8") as file:
        for docid, vector in zip(*block, strict=True):
            values = ",".join(map(str, vector))
            file.write(f'{{"docid": {json.dumps(docid)}, "contents": "", "vector": [{values}]}}\n')


def _build(lines: Path, folder: Path, kind: Kind, threads: int) -> None:
    options = ["-collection", "JsonDenseVectorCollection", "-generator", "DenseVectorDocumentGenerator"]
    places = ["-input", str(lines), "-index", str(folder), "-threads", str(threads)]
    java_class(f"io.anserini.index.Index{kind.capitalize()}DenseVectors").main([*options, *places, "-quiet"])


def _count(folder: Path) -> int:
    path = java_class("java.nio.file.Paths").get(str(folder))
    directory = java_class("org.apache.lucene.store.FSDirectory").open(path)
    reader = java_class("org.apache.lucene.index.DirectoryReader").open(directory)
    try:
        return int(reader.numDocs())
    finally:
        reader.close()
