"""How well a student retrieves, and a teacher re-ranks, on queries that were kept from training."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Sequence

import torch

from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.collection.tevatron import CandidateList
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.precision import Precision
from qgdr_pyserini.train.data import Corpus, Queries
from qgdr_pyserini.train.search import search
from qgdr_pyserini.train.trainer import computing_in, processes

CUTOFF = 10
"""Of the recall on held-out queries."""


def recall_by_language(
    encoder: DualEncoder, rows: Sequence[CandidateList], pool: Iterable[Passage], cutoff: int
) -> dict[str, float]:
    """Measure recall@cutoff of queries over all passages, by exact search.

    Parameters
    ----------
    encoder
        What to measure.
    rows
        Queries with their relevant passages.
    pool
        What is searched.
    cutoff
        How many passages are looked at.

    Returns
    -------
    dict of str to float
        By language: the share of queries with a positive among the first ``cutoff``.
    """
    docids, texts = zip(*((p.docid, p.contents) for p in pool), strict=True)
    passages = torch.from_numpy(encoder.encode_passages(texts))
    queries = torch.from_numpy(encoder.encode_queries([row.query for row in rows]))
    found: dict[str, list[float]] = defaultdict(list)
    for row, places in zip(rows, search(queries, passages, cutoff).places.tolist(), strict=True):
        gold = {item.passage.docid for item in row.positives}
        found[row.lang].append(float(any(docids[place] in gold for place in places)))
    return {lang: sum(hits) / len(hits) for lang, hits in sorted(found.items())}


@dataclasses.dataclass(frozen=True, slots=True)
class DevSet:
    """Held-out queries, what they are searched in, and the precision that the student computes in."""

    queries: Queries
    pool: Corpus
    precision: Precision

    def recall(self, encoder: DualEncoder) -> dict[str, float]:
        """Measure recall@`CUTOFF` of a student, by language; see `recall_by_language`."""
        with computing_in(self.precision):
            return recall_by_language(encoder, self.queries, self.pool(), CUTOFF)

    def record(self, encoder: DualEncoder) -> dict[str, dict[str, float]]:
        """Measure a student for a stage's record; by one process, nothing in the others."""
        return {"recall": self.recall(encoder)} if processes().is_main_process else {}


def reranking_accuracy(rows: Iterable[CandidateList]) -> dict[str, float]:
    """Measure how often the scores put a positive above all negatives; ties count as failures.

    Parameters
    ----------
    rows
        Scored queries; those without negatives are left out, as they cannot fail.

    Returns
    -------
    dict of str to float
        By language, and over all queries as ``all``.
    """
    found: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        if row.positives and row.negatives:
            best = max(item.score or 0.0 for item in row.positives)
            hit = float(all((item.score or 0.0) < best for item in row.negatives))
            found[row.lang].append(hit)
            found["all"].append(hit)
    return {lang: sum(hits) / len(hits) for lang, hits in sorted(found.items())}
