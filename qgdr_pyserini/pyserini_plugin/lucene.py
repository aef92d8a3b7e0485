"""Pyserini's Lucene: building an index, searching it with BM25."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.dictionary.translate import TranslatedWord
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.pyserini_plugin.jvm import java_class, silence_logs
from qgdr_pyserini.pyserini_plugin.translated_query import QueryBuilder

T = TypeVar("T")

Hits = list[tuple[str, float]]
"""Passage ids and scores, best first."""

BATCH = 1000
"""Passages or queries handed to Java at a time."""

MAX_CLAUSES = 1 << 16
"""Most terms of a query; Lucene's own 1,024 is less than a long question's translations."""


@dataclass(frozen=True)
class Ranking:
    """How an index is searched.

    Parameters
    ----------
    language
        Language of the analyzer that the index was built with.
    k1, b
        BM25's parameters; the defaults are Anserini's.
    rm3
        Search again with terms of the first hits (Anserini's RM3: 10 terms, 10 passages, half the
        weight); the index must hold vectors.
    hits
        Most passages per query.
    threads
        Threads that search.
    """

    language: str = "en"
    k1: float = 0.9
    b: float = 0.4
    rm3: bool = False
    hits: int = 100
    threads: int = 1


def check_language(language: str) -> None:
    """Raise `QgdrError` unless Anserini has an analyzer for ``language``."""
    known = analyzer_languages()
    if language not in known:
        raise QgdrError(f"no analyzer for language {language!r}; Anserini has {', '.join(known)}")


def analyzer_languages() -> list[str]:
    """List the languages that Anserini has an analyzer for."""
    analyzers = java_class("io.anserini.analysis.AnalyzerMap").analyzerMap
    return sorted([*map(str, analyzers.keySet().toArray()), "en"])


def build_index(
    passages: Iterable[Passage],
    folder: Path,
    language: str,
    threads: int,
    advance: Callable[[int], object],
    *,
    vectors: bool = False,
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
    vectors
        Keep each passage's terms, which RM3 needs.

    Returns
    -------
    int
        Number of passages.
    """
    silence_logs()
    from pyserini.index.lucene import LuceneIndexer

    count = 0
    with java_errors(folder, "Lucene cannot write the index"):
        arguments = ["-index", str(folder), "-language", language, *(["-storeDocvectors"] if vectors else [])]
        indexer = LuceneIndexer(args=arguments, threads=threads)
        with contextlib.closing(indexer):
            for batch in _batches(passages):
                indexer.add_batch_raw([_json(passage) for passage in batch])
                count += len(batch)
                advance(len(batch))
    return count


def search(folder: Path, topics: Mapping[str, str], ranking: Ranking) -> Iterator[tuple[str, Hits]]:
    """Search an index with BM25.

    Parameters
    ----------
    folder
        The index.
    topics
        Query by qid. Queries are analyzed as text: nothing in them is query syntax.
    ranking
        How to search.

    Yields
    ------
    tuple of str and list
        Each qid, in order, with its hits.
    """
    with open_searcher(folder, ranking) as searcher:
        for batch in _batches(topics.items()):
            yield from search_batch(searcher, dict(batch), ranking).items()


def search_batch(searcher: Any, topics: Mapping[str, str], ranking: Ranking) -> dict[str, Hits]:
    """Search for some queries by what `open_searcher` opened; the hits by qid, in order."""
    array = java_class("java.util.ArrayList")
    qids, queries = array(), array()
    for qid, query in topics.items():
        qids.add(qid)
        queries.add(query)
    found = searcher.batch_search(queries, qids, ranking.hits, ranking.threads)
    return {qid: _hits(found.get(qid) or ()) for qid in topics}


def search_translated(
    folder: Path, topics: Mapping[str, Sequence[TranslatedWord]], ranking: Ranking
) -> Iterator[tuple[str, Hits]]:
    """Search an index with BM25 for translated questions; parameters and result as in `search`."""
    with open_searcher(folder, ranking) as searcher, ThreadPoolExecutor(ranking.threads) as pool:
        builder = QueryBuilder(searcher.get_analyzer(), ranking.language)

        def find(query: Any) -> Hits:
            return [] if query is None else _hits(searcher.search(query, ranking.hits))

        for batch in _batches(topics.items()):
            queries = [builder.question(words) for _, words in batch]
            yield from zip((qid for qid, _ in batch), pool.map(find, queries), strict=True)


class Asked(NamedTuple):
    """A translated question, and the passages that are to be scored for it."""

    words: Sequence[TranslatedWord]
    docids: Sequence[str]


def score_candidates(
    folder: Path, asked: Mapping[str, Asked], ranking: Ranking
) -> Iterator[tuple[str, Hits]]:
    """Score some passages for each translated question with BM25.

    Parameters
    ----------
    folder
        The index.
    asked
        Questions and passages by qid.
    ranking
        How to search; all passages asked for are scored, whatever the number of hits.

    Yields
    ------
    tuple of str and list
        Each qid, in order, with those of its passages that share a word with it.
    """
    with open_searcher(folder, ranking) as searcher, ThreadPoolExecutor(ranking.threads) as pool:
        builder = QueryBuilder(searcher.get_analyzer(), ranking.language)

        def score(one: tuple[Any, int]) -> Hits:
            query, count = one
            return [] if query is None else _hits(searcher.search(query, count))

        for batch in _batches(asked.items()):
            queries = [(builder.among(words, docids), len(docids)) for _, (words, docids) in batch]
            yield from zip((qid for qid, _ in batch), pool.map(score, queries), strict=True)


@contextlib.contextmanager
def open_searcher(folder: Path, ranking: Ranking) -> Iterator[Any]:
    """Open an index as Anserini's ``SimpleSearcher``; what Java raises meanwhile is a `QgdrError`."""
    silence_logs()
    java_class("org.apache.lucene.search.IndexSearcher").setMaxClauseCount(MAX_CLAUSES)
    with java_errors(folder, "Lucene cannot search the index"):
        # What `LuceneSearcher` wraps; importing that would load all of Pyserini's encoders, for seconds.
        searcher = java_class("io.anserini.search.SimpleSearcher")(str(folder))
        if ranking.language != "en":
            searcher.set_language(ranking.language)
        searcher.set_bm25(ranking.k1, ranking.b)
        if ranking.rm3:
            searcher.set_rm3()
        yield searcher
        searcher.close()


def _hits(found: Iterable[Any]) -> Hits:
    return [(hit.docid, hit.score) for hit in found]


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
