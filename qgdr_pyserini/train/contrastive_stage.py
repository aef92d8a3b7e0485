"""Contrastive training of a bag of subword vectors."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import PreTrainedTokenizerFast, Trainer, TrainingArguments
from transformers.trainer_utils import get_last_checkpoint

from qgdr_pyserini.collection.training_set import TrainingSet
from qgdr_pyserini.model.subword_bag import SubwordBag
from qgdr_pyserini.train.batches import BagBatches
from qgdr_pyserini.train.code_switching import CodeSwitcher
from qgdr_pyserini.train.losses.contrastive import contrastive_loss
from qgdr_pyserini.train.pairs import (
    CodeSwitchedPairs,
    CropPairs,
    PairSource,
    QueryPairs,
    TranslationPairs,
)
from qgdr_pyserini.train.recipe import ContrastiveSettings, Recipe, SourceSettings


class ContrastiveBag(torch.nn.Module):
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
        return {"loss": contrastive_loss(queries, passages, keys, self._temperature)}


def train_bag(
    recipe: Recipe, data: TrainingSet, tokenizer: PreTrainedTokenizerFast, folder: Path
) -> tuple[SubwordBag, list[dict[str, float]]]:
    """Train a bag of subword vectors, going on from the last checkpoint in ``folder``.

    Parameters
    ----------
    recipe
        Student and contrastive settings.
    data
        What to learn from.
    tokenizer
        The vocabulary.
    folder
        For checkpoints and TensorBoard logs.

    Returns
    -------
    tuple
        The trained bag, and the Trainer's log: step, loss and learning rate.
    """
    settings, student = recipe.contrastive, recipe.student
    torch.manual_seed(recipe.seed)
    bag = SubwordBag(len(tokenizer), student.dimension)
    batches = BagBatches(
        _sources(data, settings),
        tokenizer,
        (student.query_max_length, student.passage_max_length),
        [row.contents for row in data.passages.values()],
        settings.steps,
        recipe.seed,
    )
    trainer = Trainer(
        model=ContrastiveBag(bag, settings.temperature),
        args=_arguments(settings, recipe.seed, folder),
        train_dataset=batches,
        data_collator=lambda batch: batch[0],
    )
    trainer.train(resume_from_checkpoint=get_last_checkpoint(str(folder)) if folder.exists() else None)
    return bag, [row for row in trainer.state.log_history if "loss" in row]


def _sources(data: TrainingSet, settings: ContrastiveSettings) -> list[tuple[PairSource, SourceSettings]]:
    exponent, chosen = settings.language_exponent, settings.sources
    switcher = CodeSwitcher([*data.lexicon, *data.names], settings.lowest_switch_rate)
    english = QueryPairs((row for row in data.queries if row.lang == "en"), data.passages, exponent)
    crops = CropPairs(data.passages.values())
    return [
        (QueryPairs(data.queries, data.passages, exponent), chosen.queries),
        (CodeSwitchedPairs(english, switcher), chosen.code_switched_queries),
        (TranslationPairs(data.questions, exponent), chosen.questions),
        (TranslationPairs(data.sentences, exponent), chosen.sentences),
        (TranslationPairs(data.lexicon, exponent), chosen.lexicon),
        (TranslationPairs(data.names, exponent), chosen.names),
        (crops, chosen.crops),
        (CodeSwitchedPairs(crops, switcher), chosen.code_switched_crops),
    ]


def _arguments(settings: ContrastiveSettings, seed: int, folder: Path) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=settings.steps,
        per_device_train_batch_size=1,  # an item of the dataset is a whole batch
        train_sampling_strategy="sequential",
        learning_rate=settings.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=round(settings.warmup_ratio * settings.steps),
        optim="adamw_torch_fused",
        max_grad_norm=0.0,
        dataloader_num_workers=1,
        save_steps=settings.save_steps,
        save_total_limit=2,
        logging_steps=50,
        report_to=["tensorboard"],
        disable_tqdm=True,
        remove_unused_columns=False,
        seed=seed,
        use_cpu=not torch.cuda.is_available(),
    )
