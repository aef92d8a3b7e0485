"""Pyserini's Lucene: building an index, searching it with BM25."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TypeVar

from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.pyserini_plugin.jvm import java_class, silence_logs

T = TypeVar("T")

Hits = list[tuple[str, float]]
"""Passage ids and scores, best first."""

BATCH = 1000
"""Passages or queries handed to Java at a time."""


def check_language(language: str) -> None:
    """Raise `QgdrError` unless Anserini has an analyzer for ``language``."""
    analyzers = java_class("io.anserini.analysis.AnalyzerMap").analyzerMap
    known = sorted([*map(str, analyzers.keySet().toArray()), "en"])
    if language not in known:
        raise QgdrError(f"no analyzer for language {language!r}; Anserini has {', '.join(known)}")


def build_index(
    passages: Iterable[Passage],
    folder: Path,
    language: str,
    threads: int,
    advance: Callable[[int], object],
) -> int:
    """Index passages with Pyserini's own indexer, streaming.

    Parameters
    ----------
    passages
        What to index: title and text together, as ``contents``.
    folder
        The index's folder, empty or missing.
    language
        Language of the analyzer.
    threads
        Threads that index.
    advance
        Called with the number of passages indexed since the last call.

    Returns
    -------
    int
        Number of passages.
    """
    silence_logs()
    from pyserini.index.lucene import LuceneIndexer

    count = 0
    with java_errors(folder, "Lucene cannot write the index"):
        indexer = LuceneIndexer(args=["-index", str(folder), "-language", language], threads=threads)
        with contextlib.closing(indexer):
            for batch in _batches(passages):
                indexer.add_batch_raw([_json(passage) for passage in batch])
                count += len(batch)
                advance(len(batch))
    return count


def search(
    folder: Path, topics: Mapping[str, str], hits: int, language: str, threads: int
) -> Iterator[tuple[str, Hits]]:
    """Search an index with BM25 (Anserini's defaults, k1 = 0.9 and b = 0.4).

    Parameters
    ----------
    folder
        The index.
    topics
        Query by qid. Queries are analyzed as text: nothing in them is query syntax.
    hits
        Most passages per query.
    language
        Language of the analyzer that the index was built with.
    threads
        Threads that search.

    Yields
    ------
    tuple of str and list
        Each qid, in order, with its hits.
    """
    silence_logs()
    array = java_class("java.util.ArrayList")
    with java_errors(folder, "Lucene cannot search the index"):
        # What `LuceneSearcher` wraps; importing that would load all of Pyserini's encoders, for seconds.
        searcher = java_class("io.anserini.search.SimpleSearcher")(str(folder))
        if language != "en":
            searcher.set_language(language)
        for batch in _batches(topics.items()):
            qids, queries = array(), array()
            for qid, query in batch:
                qids.add(qid)
                queries.add(query)
            found = searcher.batch_search(queries, qids, hits, threads)
            for qid, _ in batch:
                yield qid, [(hit.docid, hit.score) for hit in found.get(qid) or ()]
        searcher.close()


@contextlib.contextmanager
def java_errors(folder: Path, problem: str) -> Iterator[None]:
    """Turn what Java raises, a full disk or a damaged index, into a `QgdrError`."""
    from jnius import JavaException

    try:
        yield
    except JavaException as error:
        raise QgdrError(f"{folder}: {problem} ({error})") from error


def _json(passage: Passage) -> str:
    return json.dumps({"id": passage.docid, "contents": passage.contents})


def _batches(items: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(items)
    while batch := list(islice(rest, BATCH)):
        yield batch
