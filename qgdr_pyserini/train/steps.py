"""Single steps of the method, from file to file."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from qgdr_pyserini.collection.corpus import read_corpus
from qgdr_pyserini.collection.tevatron import CandidateList, read_candidates, write_candidates
from qgdr_pyserini.collection.trec import read_run
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.prompt import language_name
from qgdr_pyserini.model.query_generator import QueryGenerator
from qgdr_pyserini.model.teacher import Query, Teacher
from qgdr_pyserini.train.combination import combine, fit, quality
from qgdr_pyserini.train.generation import GenerationSettings, Search, generate_rows, keep_good
from qgdr_pyserini.train.mining import search_with
from qgdr_pyserini.train.negatives import NegativeSettings, mine_negatives
from qgdr_pyserini.train.scores import NOTHING_KNOWN, KnownScores, score_rows
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
        `qgdr_pyserini.train.generation.keep_good`.
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
        ranking = {qid: list(hits) for qid, hits in read_run(run).items()}
        passages = {passage.docid: passage for passage in read_corpus(corpus)}
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


def fit_files(held_out: Mapping[str, AnyPath]) -> tuple[dict[str, float], dict[str, Any]]:
    """Fit weights to held-out queries.

    Parameters
    ----------
    held_out
        Tevatron JSON Lines by the name of the score: the same queries, scored in several ways.

    Returns
    -------
    tuple
        Weights by name, and their `qgdr_pyserini.train.combination.quality`.
    """
    parts = {name: list(read_candidates(file)) for name, file in held_out.items()}
    weights = fit(parts)
    return weights, quality(parts, weights)


def combine_files(sources: Mapping[str, AnyPath], target: AnyPath, weights: Mapping[str, float]) -> int:
    """Write queries with the weighted sum of their scores; return how many.

    Parameters
    ----------
    sources
        Tevatron JSON Lines by the name of the score: the same queries, scored in several ways.
    target
        Tevatron JSON Lines to write.
    weights
        By name.
    """
    return write_candidates(target, combine({n: read_candidates(f) for n, f in sources.items()}, weights))
