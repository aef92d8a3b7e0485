"""Re-ranking what a search found, by a teacher: TREC run in, TREC run out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from qgdr_pyserini.collection.corpus import Passage, read_corpus
from qgdr_pyserini.collection.tevatron import Candidate, CandidateList
from qgdr_pyserini.collection.topics import read_topics, topics_language
from qgdr_pyserini.collection.trec import read_run, write_run
from qgdr_pyserini.errors import InputError, QgdrError
from qgdr_pyserini.model.teacher import Query, Teacher
from qgdr_pyserini.train.scores import score_rows

AnyPath = str | os.PathLike[str]

# Queries scored together: those of one language share the passages that a generator encodes.
_BLOCK = 64


def rerank_file(
    runs: Sequence[AnyPath],
    topics: Sequence[AnyPath],
    corpus: AnyPath,
    target: AnyPath,
    teacher: Teacher,
    *,
    depth: int,
    tag: str,
    language: str = "en",
    advance: Callable[[int], object] = id,
) -> int:
    """Let a teacher rank the first hits of every query anew.

    Parameters
    ----------
    runs
        TREC runs, each query in one of them.
    topics
        The queries; ``topics.LANG.tsv`` tells their language.
    corpus
        What was searched.
    target
        TREC run to write: of every query that was found something for, the first ``depth`` hits.
    teacher
        What scores.
    depth
        Hits of each query that are looked at; those below are left out.
    tag
        The run's name, its last column.
    language
        Of topics whose file's name tells none.
    advance
        Told the number of queries after each block of them.

    Returns
    -------
    int
        Number of queries.

    Raises
    ------
    QgdrError
        If a run's query is not among the topics or in two runs, or a hit is not in the corpus.
    """
    if tag.split() != [tag]:
        raise QgdrError(f"--tag {tag!r}: is empty or holds whitespace, which TREC files cannot")
    ranking = _read_rankings(runs, depth)
    queries = _read_queries(topics, language)
    return write_run(Path(target), rerank(ranking, queries, corpus, teacher, advance), tag)


def rerank(
    ranking: Mapping[str, Sequence[str]],
    queries: Mapping[str, Query],
    corpus: AnyPath,
    teacher: Teacher,
    advance: Callable[[int], object] = id,
) -> Iterator[tuple[str, list[tuple[str, float]]]]:
    """Let a teacher rank hits anew.

    Parameters
    ----------
    ranking
        Docids by qid: all that are to be ranked.
    queries
        By qid.
    corpus, teacher, advance
        As in `rerank_file`.

    Yields
    ------
    tuple of str and list
        Qid, and docids with scores as trec_eval orders them; queries in the order of ``queries``.

    Raises
    ------
    QgdrError
        If a ranked query is not among ``queries``, or a hit not in the corpus.
    """
    if missing := next((qid for qid in ranking if qid not in queries), None):
        raise QgdrError(f"query {missing!r} of the run is in none of the topics; give those it was made with")
    passages = _read_passages(corpus, {docid for docids in ranking.values() for docid in docids})
    rows = [_row(qid, query, ranking[qid], passages) for qid, query in queries.items() if qid in ranking]
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        yield from ((row.query_id, _ranked(row)) for row in score_rows(block, teacher))
        advance(len(block))


def _read_rankings(runs: Sequence[AnyPath], depth: int) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for run in runs:
        for qid, hits in read_run(run).items():
            if qid in found:
                raise InputError(f"query {qid!r} is in another run too; give one run a query", run)
            found[qid] = list(hits)[:depth]
    if not found:
        raise InputError("ranks no query, so there is nothing to rank again", runs[0])
    return found


def _read_queries(topics: Sequence[AnyPath], language: str) -> dict[str, Query]:
    """Read queries by qid, languages one after the other."""
    found: dict[str, Query] = {}
    for file in topics:
        lang = topics_language(file) or language
        found |= {qid: Query(query, lang) for qid, query in read_topics(file).items()}
    return found


def _read_passages(corpus: AnyPath, docids: set[str]) -> dict[str, Passage]:
    found = {passage.docid: passage for passage in read_corpus(corpus) if passage.docid in docids}
    if missing := next(iter(sorted(docids - found.keys())), None):
        raise QgdrError(f"{os.fspath(corpus)}: holds no passage {missing!r}; give the corpus searched")
    return found


def _row(qid: str, query: Query, docids: Sequence[str], passages: Mapping[str, Passage]) -> CandidateList:
    candidates = tuple(Candidate(passages[docid]) for docid in docids)
    return CandidateList(qid, query.text, (), candidates, query.language)


def _ranked(row: CandidateList) -> list[tuple[str, float]]:
    """Order hits as trec_eval does: by score as it is written, equal scores by docid, both descending."""
    hits = [(round(item.score or 0.0, 6), item.passage.docid) for item in row.candidates]
    return [(docid, score) for score, docid in sorted(hits, reverse=True)]
