"""Training a teacher, of either kind, to tell the positive from retrieved negatives."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import Trainer

from qgdr_pyserini.collection.tevatron import CandidateList
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.teacher import Query
from qgdr_pyserini.model.teachers import TrainableTeacher
from qgdr_pyserini.train.losses.ranking import ranking_loss
from qgdr_pyserini.train.order import ShuffledOrder
from qgdr_pyserini.train.shares import take_share
from qgdr_pyserini.train.teacher_stage_settings import RankingSettings
from qgdr_pyserini.train.training import Log, Trained, check_finite, fit, training_arguments

# Longer lists of negatives are cut to this before drawing: what is ranked far down is no hard negative.
_RANKS = 32


class Ranker(Trained):
    """What the Trainer sees: pairs of a batch in, a loss out."""

    def __init__(self, teacher: TrainableTeacher, temperature: float) -> None:
        super().__init__()
        self.teacher = teacher
        self._temperature = temperature

    def forward(self, pairs: dict[str, Any], mask: torch.Tensor) -> dict[str, torch.Tensor]:
        """Compute the ranking loss; ``pairs`` are those where ``mask`` is true, row by row."""
        scores = self.teacher(**pairs)
        rows = scores.new_zeros(mask.shape).masked_scatter(mask, scores)
        return {"loss": check_finite(ranking_loss(rows, mask, self._temperature))}


class Lists(torch.utils.data.Dataset[CandidateList]):
    """Queries in an order of chance, each with its positive and negatives drawn anew.

    Parameters
    ----------
    rows
        Queries with positives and negatives.
    settings
        Steps, batch size and candidates.
    seed
        Of the drawing.
    """

    def __init__(self, rows: Sequence[CandidateList], settings: RankingSettings, seed: int) -> None:
        self._rows = rows
        self._settings = settings
        self._order = ShuffledOrder(len(rows), seed)
        self._seed = seed

    def __len__(self) -> int:
        return self._settings.steps * self._settings.batch_size

    def __getitem__(self, i: int) -> CandidateList:
        if not 0 <= i < len(self):
            raise IndexError(i)
        epoch, place = self._order.place(i)
        row, rng = self._rows[place], np.random.default_rng([self._seed, epoch, place])
        hardest = row.negatives[:_RANKS]
        count = min(self._settings.candidates - 1, len(hardest))
        chosen = np.sort(rng.choice(len(hardest), count, replace=False))
        negatives = tuple(hardest[j] for j in chosen)
        return CandidateList(row.query_id, row.query, row.positives[:1], negatives, row.lang)


def train_ranker(
    teacher: TrainableTeacher,
    rows: Sequence[CandidateList],
    settings: RankingSettings,
    seed: int,
    folder: Path,
) -> Log:
    """Train a teacher in place, going on from the last checkpoint in ``folder``.

    Parameters
    ----------
    teacher
        What is trained.
    rows
        Queries with negatives; those without are passed over.
    settings
        Of the training.
    seed
        Of everything random.
    folder
        For checkpoints and TensorBoard logs.

    Returns
    -------
    list of dict
        The Trainer's log: step, loss and learning rate.

    Raises
    ------
    QgdrError
        If there is nothing to learn from, the loss is no number, or memory runs out.
    """
    usable = take_share([row for row in rows if row.positives and row.negatives], settings.share)
    if not usable:
        raise QgdrError("teacher-ranking: no query has both a positive and a negative passage")
    trainer = Trainer(
        model=Ranker(teacher, settings.temperature),
        args=training_arguments(settings, seed, folder),
        train_dataset=Lists(usable, settings, seed),
        data_collator=lambda batch: _collate(batch, teacher, settings.candidates),
    )
    log = fit(trainer, "teacher-ranking", folder)
    teacher.eval()
    return log


def _collate(rows: Sequence[CandidateList], teacher: TrainableTeacher, width: int) -> dict[str, Any]:
    mask = torch.zeros(len(rows), width, dtype=torch.bool)
    queries, passages = [], []
    for i, row in enumerate(rows):
        mask[i, : len(row.candidates)] = True
        queries += [Query(row.query, row.lang or "en")] * len(row.candidates)
        passages += [item.passage for item in row.candidates]
    return {"pairs": teacher.collate(queries, passages), "mask": mask}
