"""What a recipe takes of a training folder: settings, selection by article, queries and passages."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import heapq
import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from qgdr_pyserini.collection.corpus import Passage, read_corpus
from qgdr_pyserini.collection.hub import find_data_file
from qgdr_pyserini.collection.tevatron import Candidate, CandidateList, read_candidates
from qgdr_pyserini.collection.training_set import TrainingQuery, TrainingSet, read_training_set
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.files import digest_files
from qgdr_pyserini.settings import Settings
from qgdr_pyserini.train.selection import (
    first_of_each_language,
    place_by_digest,
    question_name,
    take_share,
    unlabelled_rows,
)
from qgdr_pyserini.train.stages import Fingerprinted


class DataSettings(Settings):
    """What is learned from.

    Parameters
    ----------
    format
        ``training-set``: a folder of passages, queries and translations. ``tevatron``: queries with
        positive and negative passages as Tevatron's JSON Lines, and a corpus.
    queries, corpus
        For ``tevatron``: files, taken from the data folder if they are there by that name, otherwise
        from the hub where they begin with ``hf://datasets/``.
    language
        For ``tevatron``: ISO code of queries whose row has no ``lang``.
    unanswerable
        For ``training-set``: whether queries are learned from whose passage does not answer them (those that
        are held out are measured on in any case).
    labels
        Share of each language's queries whose passages are known, parallel ones together: to see
        what a teacher is worth where labels are few. The others are distilled without (``kd``).
    without
        ISO codes of languages whose queries are left out.
    limit_per_language
        Queries taken of each language, the first by a digest of their ids; 0 takes all.
    distilled_per_language
        As many of them are mined for, scored and distilled in the iterations, and their twins in English;
        0 takes all. Warm-up and teacher learn from the others, too.
    distilled_articles
        Of queries with a passage, only those about so many articles are distilled, the ones that most are
        about; 0 takes all. Their passages are each other's candidates, so a teacher reads few passages.
    unlabelled_per_language
        For ``training-set``: so many translated questions without a passage, in English and in each other
        language, are distilled too. Their candidates are what the student retrieves with the English.
    pool
        Held-out queries are searched in their own passages and so many others, the first by a digest
        of their ids; 0 takes all. Without a GPU, encoding them all takes minutes each time.
    """

    format: Literal["training-set", "tevatron"] = "training-set"
    queries: str = ""
    corpus: str = ""
    language: str = "en"
    unanswerable: bool = True
    labels: float = Field(default=1.0, gt=0, le=1)
    without: list[str] = Field(default_factory=list)
    limit_per_language: int = Field(default=0, ge=0)
    distilled_per_language: int = Field(default=0, ge=0)
    distilled_articles: int = Field(default=0, ge=0)
    unlabelled_per_language: int = Field(default=0, ge=0)
    pool: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _files_are_named(self) -> Self:
        if self.format == "tevatron" and not (self.queries and self.corpus):
            raise ValueError("format 'tevatron' needs 'queries' and 'corpus'")
        return self


@dataclasses.dataclass(frozen=True, slots=True)
class Split:
    """A training set without the held-out articles, and the queries about these."""

    training: TrainingSet
    held_out: list[TrainingQuery]


def split_by_article(data: TrainingSet, share: float) -> Split:
    """Hold out a share of the articles, chosen by a digest of their titles.

    Parameters
    ----------
    data
        The whole training set.
    share
        Between 0 (nothing held out) and 1.
    """
    held = {docid for docid, row in data.passages.items() if article_is_held_out(row.title, share)}
    training = dataclasses.replace(
        data,
        passages={docid: row for docid, row in data.passages.items() if docid not in held},
        queries=[row for row in data.queries if row.docid not in held],
    )
    return Split(training, [row for row in data.queries if row.docid in held])


def article_is_held_out(title: str, share: float) -> bool:
    """Tell whether an article is among the share that is held out."""
    return _position(title) < share


def _position(title: str) -> float:
    """Map a title to a number in [0, 1) that is the same on every machine."""
    return int.from_bytes(place_by_digest(title)[:8]) / 2**64


Passages = Callable[[], Iterator[Passage]]
"""Starts the passages from the beginning; they need not fit into memory."""


@dataclasses.dataclass(frozen=True, slots=True)
class Corpus:
    """Passages, started from the beginning by a call, and what stands for them in a stage's fingerprint."""

    read: Passages
    fingerprint: str

    def __call__(self) -> Iterator[Passage]:
        """Start the passages from the beginning."""
        return self.read()


class Queries(list[CandidateList]):
    """Queries, and what stands for them in a stage's fingerprint.

    Parameters
    ----------
    rows
        The queries.
    source
        Digest of the files that they come from.
    """

    def __init__(self, rows: Iterable[CandidateList] = (), source: str = "") -> None:
        super().__init__(rows)
        self.source = source

    @functools.cached_property
    def fingerprint(self) -> str:
        """Digest of which queries there are, and which of them have a known passage."""
        digest = hashlib.sha256(self.source.encode())
        for row in self:
            digest.update(f"{row.query_id}\t{len(row.positives)}\n".encode())
        return digest.hexdigest()[:16]


@dataclasses.dataclass(frozen=True, slots=True)
class TrainingData:
    """Queries with their passages, and where further passages are.

    Parameters
    ----------
    rows
        Queries to learn from, with their positives, and negatives where the data gives some.
    distilled
        Those of them that the iterations work on, and questions without a passage.
    held_out
        Queries about articles that are kept from training.
    corpus
        Passages that negatives come from; without the articles held out.
    pool
        Passages that held-out queries are searched in: all of them, or as many as the recipe says.
    pairs
        The training set without the articles held out; None for other formats.
    sources
        For the card: kind of data, source tag, and number of rows.
    files
        Digest of the files, and of the share that is held out.
    digest
        Of the files and of what was selected from them.
    """

    rows: Queries
    distilled: Queries
    held_out: Queries
    corpus: Corpus
    pool: Corpus
    pairs: TrainingSet | None
    sources: list[tuple[str, str, int]]
    files: str
    digest: str = ""

    @property
    def languages(self) -> list[str]:
        """Languages of the queries to learn from."""
        return sorted({row.lang for row in (*self.rows, *self.distilled)})

    @property
    def unlabelled(self) -> list[CandidateList]:
        """Those of the distilled questions that have no passage."""
        return [row for row in self.distilled if not row.positives]

    @property
    def parallel(self) -> Fingerprinted[TrainingSet] | None:
        """The pairs, for a stage."""
        return Fingerprinted(self.pairs, self.files) if self.pairs is not None else None

    @property
    def texts(self) -> Fingerprinted[Callable[[], Iterator[str]]]:
        """Every text that is learned from: queries, passages, and both sides of translations."""
        return Fingerprinted(self._texts, self.digest)

    def _texts(self) -> Iterator[str]:
        yield from (row.query for row in self.rows)
        yield from (passage.contents for passage in self.corpus())
        if self.pairs is not None:
            groups = (self.pairs.questions, self.pairs.sentences, self.pairs.lexicon, self.pairs.names)
            for row in itertools.chain(*groups):
                yield from (row.text, row.english)


def read_training_data(folder: Path, settings: DataSettings, holdout: float) -> TrainingData:
    """Read what a recipe learns from.

    Parameters
    ----------
    folder
        The data.
    settings
        Format, files, and how many queries.
    holdout
        Share of the articles that is kept from training.

    Raises
    ------
    QgdrError
        If a file is missing or malformed, or no queries are left to learn from.
    """
    read = _training_set if settings.format == "training-set" else _tevatron
    data = read(folder, settings, holdout)
    asked = [row for row in data.rows if row.lang not in settings.without]
    asked = take_per_language(asked, settings.limit_per_language)
    rows = take_share(asked, settings.labels)
    if not rows:
        raise QgdrError(f"{folder}: no query with a passage is left to learn from")
    later = {"distilled_per_language", "distilled_articles", "unlabelled_per_language", "pool"}
    selected = [settings.model_dump(exclude=later), holdout]
    hidden = _without_labels(asked, {row.query_id for row in rows})
    limit = settings.unlabelled_per_language
    unlabelled = unlabelled_rows(data.pairs, data.held_out, limit) if data.pairs and limit else []
    unlabelled = [row for row in unlabelled if row.lang not in settings.without]
    return dataclasses.replace(
        data,
        rows=Queries(rows, data.files),
        distilled=Queries([*_distilled(asked, [*rows, *hidden], settings), *unlabelled], data.files),
        pool=_smaller(data.pool, data.held_out, settings.pool),
        digest=hashlib.sha256(f"{data.files} {selected}".encode()).hexdigest()[:16],
    )


def _distilled(
    asked: Iterable[CandidateList], rows: Sequence[CandidateList], settings: DataSettings
) -> list[CandidateList]:
    """Take so many queries of each language, and all their English twins, which hold English in place."""
    if settings.distilled_articles:
        titles = {row.query_id: row.positives[0].passage.title for row in asked}
        counts = Counter(titles.values())
        chosen = heapq.nsmallest(
            settings.distilled_articles, counts, key=lambda title: (-counts[title], title)
        )
        rows = [row for row in rows if titles[row.query_id] in chosen]
    taken = take_per_language(rows, settings.distilled_per_language)
    names = {question_name(row.query_id, row.lang) for row in taken}
    ids = {row.query_id for row in taken}
    return [
        *taken,
        *(
            row
            for row in rows
            if row.lang == "en" and row.query_id not in ids and question_name(row.query_id, "en") in names
        ),
    ]


def _without_labels(rows: Iterable[CandidateList], labelled: Container[str]) -> list[CandidateList]:
    return [
        dataclasses.replace(row, positives=(), negatives=()) for row in rows if row.query_id not in labelled
    ]


def _smaller(pool: Corpus, held_out: Iterable[CandidateList], limit: int) -> Corpus:
    if not limit:
        return pool
    needed = {item.passage.docid for row in held_out for item in row.positives}
    others = (passage.docid for passage in pool() if passage.docid not in needed)
    kept = needed.union(heapq.nsmallest(limit, others, key=place_by_digest))
    return Corpus(
        lambda: (passage for passage in pool() if passage.docid in kept), f"{pool.fingerprint} {limit}"
    )


def _training_set(folder: Path, settings: DataSettings, holdout: float) -> TrainingData:
    data = read_training_set(folder)
    split = split_by_article(data, holdout)
    passages = {d: Passage(row.docid, row.title, row.text) for d, row in data.passages.items()}
    kept = [passages[docid] for docid in split.training.passages]
    files = _digest(sorted(folder.glob("*.gz")), holdout)
    learned = [q for q in split.training.queries if settings.unanswerable or not q.unanswerable]
    return TrainingData(
        rows=Queries(_as_rows(learned, passages), files),
        distilled=Queries(),
        held_out=Queries(_as_rows(split.held_out, passages), files),
        corpus=Corpus(lambda: iter(kept), files),
        pool=Corpus(lambda: iter(passages.values()), files),
        pairs=split.training,
        sources=_sources(split.training),
        files=files,
    )


def _tevatron(folder: Path, settings: DataSettings, holdout: float) -> TrainingData:
    queries, corpus = find_data_file(settings.queries, folder), find_data_file(settings.corpus, folder)
    rows = [
        row if row.lang else dataclasses.replace(row, lang=settings.language)
        for row in read_candidates(queries)
    ]
    held = [row for row in rows if any(article_is_held_out(c.passage.title, holdout) for c in row.positives)]
    ids = {row.query_id for row in held}
    files = _digest([queries, corpus], holdout)

    def learned() -> Iterator[Passage]:
        return (p for p in read_corpus(corpus) if not article_is_held_out(p.title, holdout))

    return TrainingData(
        rows=Queries((row for row in rows if row.query_id not in ids and row.positives), files),
        distilled=Queries(),
        held_out=Queries(held, files),
        corpus=Corpus(learned, files),
        pool=Corpus(lambda: read_corpus(corpus), files),
        pairs=None,
        sources=[("queries", settings.queries, len(rows)), ("corpus", settings.corpus, 0)],
        files=files,
    )


def _digest(files: Iterable[Path], holdout: float) -> str:
    return hashlib.sha256(f"{digest_files(files)} {holdout}".encode()).hexdigest()[:16]


def _as_rows(queries: Iterable[TrainingQuery], passages: Mapping[str, Passage]) -> list[CandidateList]:
    return [
        CandidateList(q.query_id, q.query, (Candidate(passages[q.docid]),), (), q.lang, q.answers)
        for q in queries
    ]


def take_per_language(rows: Iterable[CandidateList], limit: int) -> list[CandidateList]:
    """Keep the first queries of each language by a digest of their ids, languages together; 0 keeps all."""
    if not limit:
        return list(rows)
    by_language: dict[str, list[CandidateList]] = defaultdict(list)
    for row in rows:
        by_language[row.lang].append(row)
    kept = first_of_each_language(itertools.chain(*by_language.values()), lambda count: limit)
    return [row for group in by_language.values() for row in group if row.query_id in kept]


def _sources(data: TrainingSet) -> list[tuple[str, str, int]]:
    parts: list[tuple[str, Iterable[str]]] = [
        ("passages", (row.source for row in data.passages.values())),
        ("queries", (row.source for row in data.queries)),
        ("translated questions", (row.source for row in data.questions)),
        ("sentences", (row.source for row in data.sentences)),
        ("lexicon", (row.source for row in data.lexicon)),
        ("names", (row.source for row in data.names)),
    ]
    return [(part, tag, count) for part, tags in parts for tag, count in sorted(Counter(tags).items())]
