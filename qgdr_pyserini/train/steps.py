"""Single steps of the method, from file to file."""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from qgdr_pyserini.collection.corpus import Passage, read_corpus
from qgdr_pyserini.collection.tevatron import Candidate, CandidateList, read_candidates, write_candidates
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.languages import language_name
from qgdr_pyserini.model.query_generator import QueryGenerator
from qgdr_pyserini.model.teacher import Pair, Query, Teacher
from qgdr_pyserini.train.generation_filters import Search, keep_good
from qgdr_pyserini.train.generation_settings import GenerationSettings
from qgdr_pyserini.train.mining import search_with
from qgdr_pyserini.train.negatives import NegativeSettings, mine_negatives, read_ranking

AnyPath = str | os.PathLike[str]
Advance = Callable[[int], object]

# Queries worked on at a time: enough that they share passages, few enough to show progress.
_BLOCK = 64


def score_file(
    source: AnyPath, target: AnyPath, teacher: Teacher, *, language: str = "en", advance: Advance = id
) -> int:
    """Let a teacher score every candidate of every query.

    Parameters
    ----------
    source, target
        Tevatron JSON Lines; see `qgdr_pyserini.collection.tevatron`. Old scores are replaced.
    teacher
        What scores.
    language
        Of queries whose row does not say.
    advance
        Told the number of queries after each block of them.

    Returns
    -------
    int
        Number of queries.
    """
    rows = _in_blocks(source, lambda block: score_rows(block, teacher, language), advance)
    return write_candidates(target, rows)


def score_rows(rows: Sequence[CandidateList], teacher: Teacher, language: str = "en") -> list[CandidateList]:
    """Score queries together, each distinct passage being one for the teacher."""
    places: dict[Passage, int] = {}
    queries = [Query(row.query, row.lang or language) for row in rows]
    pairs = [
        Pair(q, places.setdefault(item.passage, len(places)))
        for q, row in enumerate(rows)
        for item in row.candidates
    ]
    scores = iter(teacher.score_pairs(queries, list(places), pairs).tolist())
    return [with_scores(row, [next(scores) for _ in row.candidates]) for row in rows]


def with_scores(row: CandidateList, scores: Sequence[float]) -> CandidateList:
    """Give the candidates of a query their scores, the positives first."""
    items = [Candidate(item.passage, score) for item, score in zip(row.candidates, scores, strict=True)]
    count = len(row.positives)
    return dataclasses.replace(row, positives=tuple(items[:count]), negatives=tuple(items[count:]))


def generate_file(
    source: AnyPath,
    target: AnyPath,
    generator: QueryGenerator,
    settings: GenerationSettings,
    *,
    seed: int,
    search: Search | None = None,
    advance: Advance = id,
) -> dict[str, int]:
    """Write questions in other languages for the first positive of every query.

    A generated question has its source query's candidates, without scores, and names it in
    ``aligned_with``; its id is ``ID.LANG.NUMBER``. The source query's own language is left out.

    Parameters
    ----------
    source, target
        Tevatron JSON Lines.
    generator
        What writes.
    settings
        Languages, how many questions in each, and which are kept.
    seed
        Of the drawing.
    search
        What finds passages, where the settings ask for it.
    advance
        Told the number of source queries after each block of them.

    Returns
    -------
    dict of int
        The number of ``queries`` in ``target``; where the settings filter, also those of
        `qgdr_pyserini.train.generation_filters.keep_good`.
    """
    for language in settings.languages:
        language_name(language)  # a wrong code is told before hours of work
    numbers = itertools.count()
    rows = _in_blocks(
        source,
        lambda block: generate_rows(block, generator, settings, seed + next(numbers)),
        advance,
    )
    if not settings.filters:
        return {"queries": write_candidates(target, rows)}
    kept = keep_good(list(rows), settings, search)
    return {"queries": write_candidates(target, kept.rows), **kept.counts}


def mine_file(
    source: AnyPath,
    target: AnyPath,
    corpus: AnyPath,
    settings: NegativeSettings,
    *,
    run: AnyPath | None = None,
    encoder: DualEncoder | None = None,
    teacher: Teacher | None = None,
) -> int:
    """Give every query of a file hard negatives; see `mine_negatives`.

    Parameters
    ----------
    source, target
        Tevatron JSON Lines.
    corpus
        What was searched, or is.
    settings
        How many, how deep, and the margin.
    run, encoder
        Where the ranking comes from: a TREC run, or search with an encoder.
    teacher
        Filters what answers; None leaves queries without answers unfiltered.

    Returns
    -------
    int
        Number of queries.
    """
    if (run is None) == (encoder is None):
        raise QgdrError("negatives come either from a run or from an encoder; give one of the two")
    rows = list(read_candidates(source))
    if encoder is not None:
        ranking, passages = search_with(encoder, corpus)(rows, settings.depth)
    elif run is not None:
        ranking, passages = read_ranking(run), {passage.docid: passage for passage in read_corpus(corpus)}
        if not any(row.query_id in ranking for row in rows):
            raise QgdrError(f"{os.fspath(run)}: ranks none of the queries of {os.fspath(source)}")
    return write_candidates(target, mine_negatives(rows, ranking, passages, settings, teacher))


def _in_blocks(
    source: AnyPath, work: Callable[[list[CandidateList]], list[CandidateList]], advance: Advance
) -> Iterator[CandidateList]:
    rows = read_candidates(source)
    while block := list(itertools.islice(rows, _BLOCK)):
        yield from work(block)
        advance(len(block))


def generate_rows(
    rows: Sequence[CandidateList],
    generator: QueryGenerator,
    settings: GenerationSettings,
    seed: int,
) -> list[CandidateList]:
    """Write questions for the first positive of every query; see `generate_file`."""
    wanted = {row.query_id: settings.languages_of(row.query_id, row.lang, seed) for row in rows}
    made: dict[tuple[str, str], list[str]] = defaultdict(list)
    for language in settings.languages:
        asked = [row for row in rows if row.positives and language in wanted[row.query_id]]
        passages = [row.positives[0].passage for row in asked]
        for query in generator.generate(passages, [language], settings.n, seed=seed, top_k=settings.top_k):
            made[asked[query.passage].query_id, language].append(query.text)
    return [
        _aligned(row, language, number, text)
        for row in rows
        for language in settings.languages
        for number, text in enumerate(made[row.query_id, language])
    ]


def _aligned(row: CandidateList, language: str, number: int, text: str) -> CandidateList:
    """Give a generated query its source query's candidates, without scores."""
    return CandidateList(
        query_id=f"{row.query_id}.{language}.{number}",
        query=text,
        positives=tuple(Candidate(item.passage) for item in row.positives),
        negatives=tuple(Candidate(item.passage) for item in row.negatives),
        lang=language,
        answers=row.answers,
        aligned_with=row.query_id,
    )
