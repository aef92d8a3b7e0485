"""Scored candidate lists and generated queries, as batches for distillation."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from qgdr_pyserini.collection.tevatron import Candidate, CandidateList
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.losses.alignment import AgreementSettings, agreement
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.padding import Chunks, in_chunks
from qgdr_pyserini.train.anchor import Anchor, draw_places
from qgdr_pyserini.train.pairs import Pair, PairSource, SourceSettings, draw_batch
from qgdr_pyserini.train.sampling import BlockedOrder, LanguageSampler, SamplerSettings, ShuffledOrder
from qgdr_pyserini.train.selection import place_by_digest

# Of a batch of pairs that is mixed, each of one source.
_PARTS = 8

Switch = Callable[[str, np.random.Generator], str]
"""Puts an English text into a language of chance."""


class Aligned(NamedTuple):
    """A generated query, and how well the teacher's scores agree on it and its source query."""

    text: str
    language: str
    agreement: float


class Example(NamedTuple):
    """A query with the candidates of one step, the positive first, and a query to align with it.

    A query without one is aligned with itself, which costs nothing and teaches nothing. Where ``labelled``
    is false, no candidate is known to answer, and the first is the one that the teacher scores highest.
    """

    number: int
    query: str
    candidates: tuple[Candidate, ...]
    aligned: Aligned
    labelled: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class Draw:
    """How examples are drawn.

    Parameters
    ----------
    candidates
        For each query: the first positive (without one, the teacher's first), and others drawn anew at each
        step.
    batch_size
        Queries a step, over all processes.
    steps
        Number of steps.
    seed
        Of all drawing.
    block
        The most queries about one article that come one after the other.
    switched
        How often an English query is put, word by word, into another language.
    """

    candidates: int
    batch_size: int
    steps: int
    seed: int
    block: int = 1
    switched: float = 0.0


class Examples(torch.utils.data.Dataset[Example]):
    """Shuffled queries, all of them before any comes again.

    Example i depends on the seed and on i alone, so a resumed run sees what it would have seen.

    Parameters
    ----------
    rows
        Queries whose candidates a teacher has scored. Those without a positive teach by these scores alone.
    aligned
        See `align`; may be empty.
    sampler
        Schedule of the generated queries' languages.
    draw
        Sizes and seed.
    scored
        Whether every candidate must have a score.
    switch
        Puts an English query into another language, for ``draw.switched`` of them.
    """

    def __init__(
        self,
        rows: Sequence[CandidateList],
        aligned: Mapping[str, Sequence[Aligned]],
        sampler: SamplerSettings,
        draw: Draw,
        *,
        scored: bool = True,
        switch: Switch | None = None,
    ) -> None:
        self._rows = [row for row in rows if _teaches(row, draw.candidates, scored=scored)]
        if not self._rows:
            raise QgdrError("distillation: no query has both a positive and a negative passage")
        for row in self._rows if scored else ():
            _check_scored(row)
        self._aligned = aligned
        self._draw = draw
        self._switch = switch
        self._order = _order(self._rows, draw)
        by_language: dict[str, list[float]] = defaultdict(list)
        for query in (query for queries in aligned.values() for query in queries):
            by_language[query.language].append(query.agreement)
        means = {language: float(np.mean(found)) for language, found in by_language.items()}
        self._languages = LanguageSampler(means, sampler, draw.steps, draw.seed)

    def __len__(self) -> int:
        return self._draw.steps * self._draw.batch_size

    def __getitem__(self, i: int) -> Example:
        if not 0 <= i < len(self):
            raise IndexError(i)
        epoch, place = self._order.place(i)
        row = self._rows[place]
        rng = np.random.default_rng([self._draw.seed, epoch, place])
        first, others = _first_and_others(row)
        count = min(self._draw.candidates - 1, len(others))
        chosen = np.sort(rng.choice(len(others), count, replace=False))
        candidates = (first, *(others[j] for j in chosen))
        partner = self._partner(row, i, rng)
        return Example(i, self._worded(row, rng), candidates, partner, bool(row.positives))

    def _worded(self, row: CandidateList, rng: np.random.Generator) -> str:
        if self._switch is None or row.lang != "en" or rng.random() >= self._draw.switched:
            return row.query
        return self._switch(row.query, rng)

    def _partner(self, row: CandidateList, i: int, rng: np.random.Generator) -> Aligned:
        by_language: dict[str, list[Aligned]] = defaultdict(list)
        for query in self._aligned.get(row.query_id, ()):
            by_language[query.language].append(query)
        if not by_language:
            return Aligned(row.query, row.lang, 0.0)
        language = self._languages.draw(*divmod(i, self._draw.batch_size), by_language)
        return by_language[language][int(rng.integers(len(by_language[language])))]


def _teaches(row: CandidateList, candidates: int, *, scored: bool) -> bool:
    if row.positives:
        return bool(row.negatives) or candidates == 1
    return scored and len(row.negatives) > 1


def _first_and_others(row: CandidateList) -> tuple[Candidate, Sequence[Candidate]]:
    if row.positives:
        return row.positives[0], row.negatives
    scores = _check_scored(row)
    best = scores.index(max(scores))
    return row.negatives[best], (*row.negatives[:best], *row.negatives[best + 1 :])


def _order(rows: Sequence[CandidateList], draw: Draw) -> ShuffledOrder:
    if draw.block == 1:
        return ShuffledOrder(len(rows), draw.seed)
    return BlockedOrder([row.candidates[0].passage.title for row in rows], draw.block, draw.seed)


def align(
    rows: Iterable[CandidateList], generated: Iterable[CandidateList], settings: AgreementSettings
) -> dict[str, list[Aligned]]:
    """Measure how well the teacher agrees on generated queries and their source queries.

    Parameters
    ----------
    rows
        Source queries, scored.
    generated
        Queries with ``aligned_with`` and the candidates of that query, scored for themselves.
    settings
        Temperature and correlation.

    Returns
    -------
    dict
        Generated queries by their source's id; those of unknown sources are left out.

    Raises
    ------
    QgdrError
        If a score is missing, or a generated query has other candidates than its source.
    """
    sources = {row.query_id: row for row in rows}
    found: dict[str, list[Aligned]] = defaultdict(list)
    for query in generated:
        source = sources.get(query.aligned_with)
        if source is None:
            continue
        if [c.passage.docid for c in query.candidates] != [c.passage.docid for c in source.candidates]:
            raise QgdrError(
                f"query {query.query_id!r}: its candidates are not those of {source.query_id!r}; "
                "generate it again from the file that is distilled"
            )
        theirs, ours = (torch.tensor([_check_scored(row)]) for row in (source, query))
        value = agreement(theirs, ours, torch.ones_like(ours, dtype=torch.bool), settings).item()
        found[source.query_id].append(Aligned(query.query, query.lang, value))
    return dict(found)


class Replay:
    """Draws pairs of the pre-training for a batch, by the number of the batch's first example.

    Parameters
    ----------
    sources
        Where pairs come from, each with its weight; see `qgdr_pyserini.train.pairs.pair_sources`.
    size
        Pairs a batch and process.
    seed
        Of the drawing.
    mixed
        Whether a batch is of several sources; pairs of one source are the harder negatives of each other.
    """

    def __init__(
        self,
        sources: Sequence[tuple[PairSource, SourceSettings]],
        size: int,
        seed: int,
        *,
        mixed: bool = False,
    ) -> None:
        self._sources = sources
        parts = np.array_split(np.arange(size), min(size, _PARTS if mixed else 1))
        self._sizes = [len(part) for part in parts]
        self._seed = seed

    def draw(self, number: int) -> list[Pair]:
        """Draw the pairs that go with the batch beginning with this example."""
        rng = np.random.default_rng([self._seed, number])
        return [pair for size in self._sizes for pair in draw_batch(self._sources, rng, size)]


class Hold:
    """Gives passages their places among all of them, and draws those that a step holds where they were.

    Parameters
    ----------
    anchor
        The student before, and its vectors.
    seed
        Of the drawing.
    """

    def __init__(self, anchor: Anchor, seed: int) -> None:
        self.places = anchor.places
        self._contents, self._count = anchor.contents, anchor.settings.passages
        self._seed = seed

    def draw(self, number: int) -> tuple[list[str], list[int]]:
        """Draw contents and places for the batch beginning with this example."""
        places = draw_places(len(self._contents), self._count, [self._seed, number])
        return [self._contents[place] for place in places], places


class Collator:
    """Puts examples into tensors; a passage that several queries have is there once.

    Parameters
    ----------
    encoder
        Whose tokenizer and lengths are used.
    candidates
        Their number; examples with fewer are padded.
    replay
        Draws pairs to go with each batch; None for none.
    hold
        Where the passages' vectors are known: the batch holds their places, and texts of few of them.
    """

    def __init__(
        self,
        encoder: DualEncoder,
        candidates: int,
        *,
        replay: Replay | None = None,
        hold: Hold | None = None,
    ) -> None:
        self._encoder = encoder
        self._candidates = candidates
        self._replay = replay
        self._hold = hold

    def __call__(self, examples: Sequence[Example]) -> dict[str, Any]:
        """Return what `qgdr_pyserini.train.distillation.Distiller` takes."""
        shape = (len(examples), self._candidates)
        mask, teacher = torch.zeros(shape, dtype=torch.bool), torch.zeros(shape)
        keys = torch.full(shape, -1)
        texts = {c.passage.docid: c.passage.contents for example in examples for c in example.candidates}
        row = self._hold.places if self._hold else {docid: i for i, docid in enumerate(texts)}
        places = torch.zeros(shape, dtype=torch.int64)
        for i, example in enumerate(examples):
            for j, item in enumerate(example.candidates):
                mask[i, j], teacher[i, j] = True, item.score or 0.0
                keys[i, j] = text_key(item.passage.docid)
                places[i, j] = row[item.passage.docid]
        batch = {
            "queries": self._queries([example.query for example in examples]),
            "aligned": self._queries([example.aligned.text for example in examples]),
            "places": places,
            "agreement": torch.tensor([example.aligned.agreement for example in examples]),
            "teacher": teacher,
            "mask": mask,
            "keys": keys,
            "labelled": torch.tensor([example.labelled for example in examples]),
        }
        number = examples[0].number
        if self._hold is None:
            batch["passages"] = self._passages(list(texts.values()))
        else:
            contents, held = self._hold.draw(number)
            batch["held"] = (self._passages(contents), torch.tensor(held))
        return batch if self._replay is None else batch | {"replay": self._pairs(number)}

    def _pairs(self, number: int) -> tuple[Chunks, Chunks, torch.Tensor]:
        assert self._replay is not None
        pairs = self._replay.draw(number)
        keys = torch.tensor([text_key(pair.key) for pair in pairs])
        return self._queries([pair.query for pair in pairs]), self._second_texts(pairs), keys

    def _second_texts(self, pairs: Sequence[Pair]) -> Chunks:
        config = self._encoder.config
        prefixes = (config.passage_prefix, config.query_prefix)
        texts = [prefixes[pair.translation] + pair.passage for pair in pairs]
        return self._chunks(texts, config.passage_max_length)

    def _queries(self, texts: Sequence[str]) -> Chunks:
        config = self._encoder.config
        return self._chunks([config.query_prefix + text for text in texts], config.query_max_length)

    def _passages(self, texts: Sequence[str]) -> Chunks:
        config = self._encoder.config
        return self._chunks([config.passage_prefix + text for text in texts], config.passage_max_length)

    def _chunks(self, texts: Sequence[str], max_length: int) -> Chunks:
        tokenizer = self._encoder.tokenizer
        rows = tokenizer(list(texts), truncation=True, max_length=max_length, return_attention_mask=False)
        return in_chunks(rows["input_ids"], tokenizer.pad_token_id)


def text_key(docid: str) -> int:
    """Turn a docid into a number that is the same in every process, as Python's own hash is not."""
    return int.from_bytes(place_by_digest(docid)[:7])


def _check_scored(row: CandidateList) -> list[float]:
    scores = [item.score for item in row.candidates]
    if None in scores:
        raise QgdrError(f"query {row.query_id!r}: a candidate has no score; run 'qgdr score' first")
    return [score for score in scores if score is not None]
