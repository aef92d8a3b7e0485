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
from qgdr_pyserini.train.known_scores import NOTHING_KNOWN, KnownScores
from qgdr_pyserini.train.mining import search_with
from qgdr_pyserini.train.negatives import NegativeSettings, mine_negatives, read_ranking
from qgdr_pyserini.train.twins import Twins, read_translations, reading_english

AnyPath = str | os.PathLike[str]
Advance = Callable[[int], object]

# Queries worked on at a time: enough that they share passages, few enough to show progress.
_BLOCK = 64


def score_file(
    source: AnyPath,
    target: AnyPath,
    teacher: Teacher,
    *,
    language: str = "en",
    translations: AnyPath | None = None,
    known: KnownScores = NOTHING_KNOWN,
    advance: Advance = id,
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
    translations
        Questions that are read in English, as `qgdr_pyserini.train.twins.read_translations` takes them.
    known
        Scores that this teacher need not compute.
    advance
        Told the number of queries after each block of them.

    Returns
    -------
    int
        Number of queries.
    """

    def as_given(row: CandidateList) -> Query:
        return Query(row.query, row.lang or language)

    twins = Twins([], read_translations(translations)) if translations else None
    ask = reading_english(twins, as_given) if twins else as_given
    rows = _in_blocks(source, lambda block: score_rows(block, teacher, ask, known), advance)
    return write_candidates(target, rows)


def as_it_is(row: CandidateList) -> Query:
    """Ask a row's own question; a row that does not name its language is in English."""
    return Query(row.query, row.lang or "en")


def score_rows(
    rows: Sequence[CandidateList],
    teacher: Teacher,
    ask: Callable[[CandidateList], Query] = as_it_is,
    known: KnownScores = NOTHING_KNOWN,
) -> list[CandidateList]:
    """Score queries together, each distinct passage and each distinct pair being one for the teacher.

    Parameters
    ----------
    rows
        Queries with candidates.
    teacher
        What scores.
    ask
        What the teacher reads as a row's question.
    known
        Scores by query id and docid that are taken as they are.
    """
    places: dict[Passage, int] = {}
    queries: dict[Query, int] = {}
    pairs: dict[Pair, int] = {}

    def place(row: CandidateList, item: Candidate) -> int | None:
        """Tell which pair it is; None where the score is known."""
        if (row.query_id, item.passage.docid) in known:
            return None
        query = queries.setdefault(ask(row), len(queries))
        return pairs.setdefault(Pair(query, places.setdefault(item.passage, len(places))), len(pairs))

    asked = [[place(row, item) for item in row.candidates] for row in rows]
    scores = teacher.score_pairs(list(queries), list(places), list(pairs)).tolist() if pairs else []
    return [
        with_scores(
            row,
            [
                known[row.query_id, item.passage.docid] if i is None else scores[i]
                for item, i in zip(row.candidates, own, strict=True)
            ],
        )
        for row, own in zip(rows, asked, strict=True)
    ]


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
        aligned_row(row, language, str(number), text)
        for row in rows
        for language in settings.languages
        for number, text in enumerate(made[row.query_id, language])
    ]


def aligned_row(row: CandidateList, language: str, name: str, text: str) -> CandidateList:
    """Give a query that is aligned with ``row`` its candidates, without scores, and the id with the name."""
    return CandidateList(
        query_id=f"{row.query_id}.{language}.{name}",
        query=text,
        positives=tuple(Candidate(item.passage) for item in row.positives),
        negatives=tuple(Candidate(item.passage) for item in row.negatives),
        lang=language,
        answers=row.answers,
        aligned_with=row.query_id,
    )
