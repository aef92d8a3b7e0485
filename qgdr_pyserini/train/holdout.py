"""Articles kept from training."""

from __future__ import annotations

import dataclasses

from qgdr_pyserini.collection.training_set import TrainingQuery, TrainingSet
from qgdr_pyserini.train.shares import place_by_digest


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
