"""Training a teacher: a query generator to write by the generation loss, any teacher to rank."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from pydantic import Field
from transformers import Trainer

from qgdr_pyserini.collection.tevatron import CandidateList
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.losses.ranking import ranking_loss
from qgdr_pyserini.model.prompt import Prompt
from qgdr_pyserini.model.query_generator import QueryGenerator
from qgdr_pyserini.model.teacher import Query
from qgdr_pyserini.model.teachers import TrainableTeacher
from qgdr_pyserini.train.pairs import ByLanguage
from qgdr_pyserini.train.sampling import ShuffledOrder
from qgdr_pyserini.train.selection import take_share
from qgdr_pyserini.train.trainer import Log, Trained, TrainingSettings, check_finite, fit, training_arguments

GENERATION, RANKING = "teacher-generation", "teacher-ranking"
"""Names of the stages."""

# Longer lists of negatives are cut to this before drawing: what is ranked far down is no hard negative.
_RANKS = 32


class GenerationLossSettings(TrainingSettings):
    """Training a query generator to write queries for passages.

    Parameters
    ----------
    language_exponent
        See `qgdr_pyserini.train.pairs.ByLanguage`.
    share
        Of each language's queries that are learned from; see `RankingSettings`.
    """

    language_exponent: float = Field(default=0.5, ge=0, le=1)
    share: float = Field(default=1.0, gt=0, le=1)


class RankingSettings(TrainingSettings):
    """Training a teacher to rank, by `qgdr_pyserini.losses.ranking.ranking_loss`.

    Parameters
    ----------
    candidates
        Passages for each query, its positive among them.
    temperature
        Of the loss.
    share
        Of each language's queries that are learned from, to see how a teacher fares with few (the
        paper's Figure 1); see `qgdr_pyserini.train.selection.take_share`.
    """

    candidates: int = Field(default=8, ge=2)
    temperature: float = Field(default=1.0, gt=0)
    share: float = Field(default=1.0, gt=0, le=1)


class Writing(NamedTuple):
    """What a generator reads, what it is to write, and in which language."""

    prompt: Prompt
    target: str
    language: str


class Writings(torch.utils.data.Dataset[Writing]):
    """Texts drawn by language; what is drawn as number i depends on the seed and on i alone.

    Parameters
    ----------
    rows
        What to draw from.
    settings
        Steps, batch size and the languages' exponent.
    seed
        Of the drawing.
    """

    def __init__(self, rows: Sequence[Writing], settings: GenerationLossSettings, seed: int) -> None:
        self._rows = ByLanguage(rows, lambda row: row.language, settings.language_exponent)
        self._length = settings.steps * settings.batch_size
        self._seed = seed

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, i: int) -> Writing:
        if not 0 <= i < self._length:
            raise IndexError(i)
        return self._rows.draw(1, np.random.default_rng([self._seed, i]))[0]


class Writer(Trained):
    r"""What the Trainer sees: the generation loss, the mean over queries of -t(q, p).

    .. math:: L = -\frac1n \sum_q \frac{1}{|q|} \sum_i \log P(q_i \mid q_{<i}, p)
    """

    def __init__(self, generator: QueryGenerator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, prompts: dict[str, torch.Tensor], labels: torch.Tensor) -> dict[str, torch.Tensor]:
        """Compute the loss of a batch."""
        return {"loss": check_finite(-self.generator(prompts, labels).mean())}


def query_writings(rows: Iterable[CandidateList], generator: QueryGenerator) -> list[Writing]:
    """Make every query what is to be written for its first positive."""
    return [
        Writing(generator.prompt(row.positives[0].passage, row.lang), row.query, row.lang)
        for row in rows
        if row.positives
    ]


def train_writer(
    generator: QueryGenerator,
    rows: Sequence[Writing],
    settings: GenerationLossSettings,
    seed: int,
    folder: Path,
) -> Log:
    """Train a query generator in place, going on from the last checkpoint in ``folder``.

    Parameters
    ----------
    generator
        What is trained.
    rows
        What it learns to write.
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
        If there is nothing to learn from, the loss is NaN or infinite, or memory runs out.
    """
    if not rows:
        raise QgdrError(f"{GENERATION}: no query to learn from; check the data and data.limit_per_language")
    trainer = Trainer(
        model=Writer(generator),
        args=training_arguments(settings, seed, folder),
        train_dataset=Writings(rows, settings, seed),
        data_collator=lambda batch: generator.collate_texts(
            [w.prompt for w in batch], [w.target for w in batch]
        ),
    )
    log = fit(trainer, GENERATION, folder)
    generator.eval()
    return log


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
    """Shuffled queries, each with its positive and negatives drawn anew.

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
        If there is nothing to learn from, the loss is NaN or infinite, or memory runs out.
    """
    usable = take_share([row for row in rows if row.positives and row.negatives], settings.share)
    if not usable:
        raise QgdrError(f"{RANKING}: no query has both a positive and a negative passage")
    trainer = Trainer(
        model=Ranker(teacher, settings.temperature),
        args=training_arguments(settings, seed, folder),
        train_dataset=Lists(usable, settings, seed),
        data_collator=lambda batch: _collate(batch, teacher, settings.candidates),
    )
    log = fit(trainer, RANKING, folder)
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
