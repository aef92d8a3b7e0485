"""Training a query generator to write queries, by the generation loss."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from transformers import Trainer

from qgdr_pyserini.collection.tevatron import CandidateList
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.prompt import Prompt
from qgdr_pyserini.model.query_generator import QueryGenerator
from qgdr_pyserini.train.pairs import ByLanguage
from qgdr_pyserini.train.teacher_stage_settings import GenerationLossSettings
from qgdr_pyserini.train.training import Log, Trained, check_finite, fit, training_arguments

STAGE = "teacher-generation"


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
        If there is nothing to learn from, the loss is no number, or memory runs out.
    """
    if not rows:
        raise QgdrError(f"{STAGE}: no query to learn from; check the data and data.limit_per_language")
    trainer = Trainer(
        model=Writer(generator),
        args=training_arguments(settings, seed, folder),
        train_dataset=Writings(rows, settings, seed),
        data_collator=lambda batch: generator.collate_texts(
            [w.prompt for w in batch], [w.target for w in batch]
        ),
    )
    log = fit(trainer, STAGE, folder)
    generator.eval()
    return log
