"""Contrastive pre-training of a bag of subword vectors on pairs of all kinds."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import PreTrainedTokenizerFast, Trainer

from qgdr_pyserini.collection.training_set import TrainingSet
from qgdr_pyserini.model.subword_bag import SubwordBag
from qgdr_pyserini.train.batches import BagBatches
from qgdr_pyserini.train.losses.contrastive import contrastive_loss
from qgdr_pyserini.train.pair_settings import PairSettings
from qgdr_pyserini.train.pairs import pair_sources
from qgdr_pyserini.train.recipe_settings import PretrainingSettings, StudentSettings
from qgdr_pyserini.train.training import Log, Trained, check_finite, fit, whole_batch_arguments


class ContrastiveBag(Trained):
    """What the Trainer sees: a batch of pairs in, a loss out."""

    def __init__(self, bag: SubwordBag, temperature: float) -> None:
        super().__init__()
        self.bag = bag
        self._temperature = temperature

    def forward(
        self,
        query_ids: torch.Tensor,
        query_offsets: torch.Tensor,
        passage_ids: torch.Tensor,
        passage_offsets: torch.Tensor,
        keys: torch.Tensor,
    ) -> dict[str, torch.Tensor]:
        """Compute the contrastive loss of a batch made by `BagBatches`."""
        queries = self.bag(query_ids, query_offsets)
        passages = self.bag(passage_ids, passage_offsets)
        return {"loss": check_finite(contrastive_loss(queries, passages, keys, self._temperature))}


def train_bag(
    data: TrainingSet,
    tokenizer: PreTrainedTokenizerFast,
    settings: tuple[StudentSettings, PairSettings, PretrainingSettings],
    seed: int,
    folder: Path,
) -> tuple[SubwordBag, Log]:
    """Train a bag of subword vectors, going on from the last checkpoint in ``folder``.

    Parameters
    ----------
    data
        What to learn from.
    tokenizer
        The vocabulary.
    settings
        Of the student, of the pairs, and of the training.
    seed
        Of everything random.
    folder
        For checkpoints and TensorBoard logs.

    Returns
    -------
    tuple
        The trained bag, and the Trainer's log: step, loss and learning rate.
    """
    student, pairs, training = settings
    torch.manual_seed(seed)
    bag = SubwordBag(len(tokenizer), student.dimension)
    batches = BagBatches(
        pair_sources(data, pairs),
        tokenizer,
        (student.query_max_length, student.passage_max_length),
        [row.contents for row in data.passages.values()],
        training.steps,
        seed,
    )
    trainer = Trainer(
        model=ContrastiveBag(bag, training.temperature),
        args=whole_batch_arguments(training, seed, folder),
        train_dataset=batches,
        data_collator=lambda batch: batch[0],
    )
    return bag, fit(trainer, "pretraining", folder)
