"""BM25 as the retriever of a training run's first hard negatives."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.collection.tevatron import CandidateList
from qgdr_pyserini.files import atomic_directory
from qgdr_pyserini.pyserini_plugin import lucene


def rank_with_bm25(
    rows: Sequence[CandidateList], corpus: Callable[[], Iterator[Passage]], depth: int, folder: Path
) -> tuple[dict[str, list[str]], Mapping[str, Passage]]:
    """Rank passages for queries by BM25 with the English analyzer.

    Parameters
    ----------
    rows
        The queries.
    corpus
        Starts the passages from the beginning.
    depth
        Passages for each query.
    folder
        Where the Lucene index is kept; one that is there is used.

    Returns
    -------
    tuple of dict
        Docids by query id, best first, and the passages that were found, by docid.
    """
    index, threads = folder / "lucene", os.cpu_count() or 1
    if not index.exists():
        with atomic_directory(index) as work:
            lucene.build_index(corpus(), work, "en", threads, lambda count: None)
    topics = {row.query_id: row.query for row in rows}
    options = lucene.Ranking(language="en", hits=depth, threads=threads)
    ranking = {qid: [docid for docid, _ in hits] for qid, hits in lucene.search(index, topics, options)}
    wanted = {docid for docids in ranking.values() for docid in docids}
    return ranking, {passage.docid: passage for passage in corpus() if passage.docid in wanted}
