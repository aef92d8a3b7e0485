"""Indexes of dense vectors that Lucene searches: written by Anserini, searched where they lie."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

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


class DenseHit(NamedTuple):
    """What Anserini calls a ``ScoredDoc``."""

    docid: str
    lucene_docid: int
    score: float


class LocalDenseSearcher:
    """Does what Anserini's ``HnswDenseSearcher`` and ``FlatDenseSearcher`` do, without its catalogue.

    Parameters
    ----------
    index
        The index's folder.
    breadth
        Candidates that HNSW keeps (``efSearch``); for a flat index None, as many as there are hits.
    """

    def __init__(self, index: str, breadth: int | None) -> None:
        from jnius import cast
        from pyserini.pyclass import autoclass

        folder = autoclass("java.nio.file.Paths").get(index)
        directory = autoclass("org.apache.lucene.store.FSDirectory").open(folder)
        self._reader = autoclass("org.apache.lucene.index.DirectoryReader").open(directory)
        reader = cast("org.apache.lucene.index.IndexReader", self._reader)
        self._searcher = autoclass("org.apache.lucene.search.IndexSearcher")(reader)
        self._query = autoclass("org.apache.lucene.search.KnnFloatVectorQuery")
        self._breadth = breadth

    def search(self, query: str | Sequence[float], k: int) -> list[DenseHit]:
        """Return the ``k`` nearest, best first, for a vector or its JSON."""
        vector = json.loads(query) if isinstance(query, str) else list(query)
        wanted = self._query("vector", vector, self._breadth or k)
        return list(self._hits(self._searcher.search(wanted, k)))

    def batch_search(self, queries: Sequence[str], qids: Sequence[str], k: int) -> dict[str, list[DenseHit]]:
        """Search for one query after the other; the hits by qid."""
        return {qid: self.search(query, k) for qid, query in zip(qids, queries, strict=True)}

    def close(self) -> None:
        """Close the index."""
        self._reader.close()

    def _hits(self, found: Any) -> Iterator[DenseHit]:
        fields = self._searcher.storedFields()
        for hit in found.scoreDocs:
            yield DenseHit(fields.document(hit.doc).get("id"), hit.doc, hit.score)


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
