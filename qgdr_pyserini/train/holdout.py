"""Articles kept from training, and how well an encoder finds their passages."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import defaultdict

import torch

from qgdr_pyserini.collection.training_set import TrainingQuery, TrainingSet
from qgdr_pyserini.model.dual_encoder import DualEncoder


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
    held = {docid for docid, row in data.passages.items() if _position(row.title) < share}
    training = dataclasses.replace(
        data,
        passages={docid: row for docid, row in data.passages.items() if docid not in held},
        queries=[row for row in data.queries if row.docid not in held],
    )
    return Split(training, [row for row in data.queries if row.docid in held])


def recall_by_language(
    encoder: DualEncoder, data: TrainingSet, queries: list[TrainingQuery], cutoff: int
) -> dict[str, float]:
    """Measure recall@cutoff of queries over all passages, by exact search.

    Parameters
    ----------
    encoder
        What to measure.
    data
        Whose passages are searched, trained on or not.
    queries
        Each with its one relevant passage.
    cutoff
        How many passages are looked at.

    Returns
    -------
    dict of str to float
        By language.
    """
    docids = list(data.passages)
    place = {docid: i for i, docid in enumerate(docids)}
    passages = torch.from_numpy(encoder.encode_passages([data.passages[d].contents for d in docids]))
    found: dict[str, list[float]] = defaultdict(list)
    for start in range(0, len(queries), 1024):
        rows = queries[start : start + 1024]
        vectors = torch.from_numpy(encoder.encode_queries([row.query for row in rows]))
        top = (vectors @ passages.T).topk(min(cutoff, len(docids))).indices
        gold = torch.tensor([place[row.docid] for row in rows]).unsqueeze(1)
        for row, hit in zip(rows, (top == gold).any(dim=1).tolist(), strict=True):
            found[row.lang].append(float(hit))
    return {lang: sum(hits) / len(hits) for lang, hits in sorted(found.items())}


def _position(title: str) -> float:
    """Map a title to a number in [0, 1) that is the same on every machine."""
    return int.from_bytes(hashlib.sha256(title.encode()).digest()[:8]) / 2**64
