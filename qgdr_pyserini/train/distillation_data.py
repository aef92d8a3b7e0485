"""Scored candidate lists and generated queries, as batches for distillation."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from qgdr_pyserini.collection.tevatron import Candidate, CandidateList
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.train.language_sampler import LanguageSampler, SamplerSettings
from qgdr_pyserini.train.losses.agreement import AgreementSettings, agreement


class Aligned(NamedTuple):
    """A generated query, and how well the teacher's scores agree on it and its source query."""

    text: str
    language: str
    agreement: float


class Example(NamedTuple):
    """A query with the candidates of one step, the positive first, and a query to align with it.

    A query without one is aligned with itself, which costs nothing and teaches nothing.
    """

    query: str
    candidates: tuple[Candidate, ...]
    aligned: Aligned


@dataclasses.dataclass(frozen=True, slots=True)
class Draw:
    """How examples are drawn.

    Parameters
    ----------
    candidates
        For each query: the first positive, and negatives drawn anew at each step.
    batch_size
        Queries a step, over all processes.
    steps
        Number of steps.
    seed
        Of all drawing.
    """

    candidates: int
    batch_size: int
    steps: int
    seed: int


class Examples(torch.utils.data.Dataset[Example]):
    """Queries in an order of chance, all of them before any comes again.

    Example i depends on the seed and on i alone, so a resumed run sees what it would have seen.

    Parameters
    ----------
    rows
        Queries whose candidates a teacher has scored.
    aligned
        See `align`; may be empty.
    sampler
        Schedule of the generated queries' languages.
    draw
        Sizes and seed.
    """

    def __init__(
        self,
        rows: Sequence[CandidateList],
        aligned: Mapping[str, Sequence[Aligned]],
        sampler: SamplerSettings,
        draw: Draw,
    ) -> None:
        self._rows = [row for row in rows if row.positives and row.negatives]
        if not self._rows:
            raise QgdrError("distillation: no query has both a positive and a negative passage")
        for row in self._rows:
            _check_scored(row)
        self._aligned = aligned
        self._draw = draw
        self._known_order = (-1, np.empty(0, dtype=np.int64))
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
        epoch, place = divmod(i, len(self._rows))
        row = self._rows[self._order(epoch)[place]]
        rng = np.random.default_rng([self._draw.seed, epoch, place])
        count = min(self._draw.candidates - 1, len(row.negatives))
        chosen = np.sort(rng.choice(len(row.negatives), count, replace=False))
        candidates = (row.positives[0], *(row.negatives[j] for j in chosen))
        return Example(row.query, candidates, self._partner(row, i, rng))

    def _order(self, epoch: int) -> npt.NDArray[np.int64]:
        if self._known_order[0] != epoch:
            rng = np.random.default_rng([self._draw.seed, epoch])
            self._known_order = (epoch, rng.permutation(len(self._rows)))
        return self._known_order[1]

    def _partner(self, row: CandidateList, i: int, rng: np.random.Generator) -> Aligned:
        by_language: dict[str, list[Aligned]] = defaultdict(list)
        for query in self._aligned.get(row.query_id, ()):
            by_language[query.language].append(query)
        if not by_language:
            return Aligned(row.query, row.lang, 0.0)
        language = self._languages.draw(*divmod(i, self._draw.batch_size), by_language)
        return by_language[language][int(rng.integers(len(by_language[language])))]


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


class Collator:
    """Puts examples into tensors, padded to one number of candidates.

    Parameters
    ----------
    encoder
        Whose tokenizer and lengths are used.
    candidates
        Their number.
    """

    def __init__(self, encoder: DualEncoder, candidates: int) -> None:
        self._encoder = encoder
        self._candidates = candidates

    def __call__(self, examples: Sequence[Example]) -> dict[str, Any]:
        """Return what `qgdr_pyserini.train.distillation_stage.Distiller` takes."""
        config, shape = self._encoder.config, (len(examples), self._candidates)
        mask, teacher = torch.zeros(shape, dtype=torch.bool), torch.zeros(shape)
        keys = torch.full(shape, -1)
        texts: list[str] = []
        for i, example in enumerate(examples):
            for j, item in enumerate(example.candidates):
                mask[i, j], teacher[i, j] = True, item.score or 0.0
                keys[i, j] = _key(item.passage.docid)
                texts.append(config.passage_prefix + item.passage.contents)
        queries, aligned = (
            self._encoder.tokenize([config.query_prefix + text for text in column], config.query_max_length)
            for column in ([e.query for e in examples], [e.aligned.text for e in examples])
        )
        return {
            "queries": queries,
            "aligned": aligned,
            "passages": self._encoder.tokenize(texts, config.passage_max_length),
            "agreement": torch.tensor([example.aligned.agreement for example in examples]),
            "teacher": teacher,
            "mask": mask,
            "keys": keys,
        }


def _key(docid: str) -> int:
    """Turn a docid into a number that is the same in every process, as Python's own hash is not."""
    return int.from_bytes(hashlib.blake2b(docid.encode(), digest_size=7).digest())


def _check_scored(row: CandidateList) -> list[float]:
    scores = [item.score for item in row.candidates]
    if None in scores:
        raise QgdrError(f"query {row.query_id!r}: a candidate has no score; run 'qgdr score' first")
    return [score for score in scores if score is not None]
