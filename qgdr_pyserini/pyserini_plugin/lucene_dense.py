"""A local Lucene index of dense vectors, HNSW or flat, searched through Lucene itself."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple


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
