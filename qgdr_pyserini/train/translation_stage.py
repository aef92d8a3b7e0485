"""Learning an English encoder's space from translations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import Trainer

from qgdr_pyserini.collection.training_set import TrainingSet
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.train.chunks import Features
from qgdr_pyserini.train.losses.contrastive import contrastive_loss
from qgdr_pyserini.train.pair_settings import PairSettings
from qgdr_pyserini.train.pairs import pair_sources
from qgdr_pyserini.train.training import Log, Trained, check_finite, computing_in, fit, whole_batch_arguments
from qgdr_pyserini.train.translation_batches import TranslationBatches
from qgdr_pyserini.train.translation_settings import TranslationSettings


class TranslationStudent(Trained):
    """What the Trainer sees: a batch made by `TranslationBatches` in, a loss out.

    Parameters
    ----------
    student
        Is trained.
    english
        Gives the vectors to learn; left as it is, and not part of a checkpoint.
    passages
        Its vectors of all passages, ``(passages, dimension)``.
    settings
        Of the loss.
    """

    def __init__(
        self,
        student: DualEncoder,
        english: DualEncoder,
        passages: torch.Tensor,
        settings: TranslationSettings,
    ) -> None:
        super().__init__()
        self.student = student
        self._fixed = (english, passages)  # a tuple, so that they are no submodule and no parameter
        self._settings = settings

    def forward(
        self,
        texts: list[Features],
        order: torch.Tensor,
        english: list[Features],
        english_order: torch.Tensor,
        passages: torch.Tensor,
        same: torch.Tensor,
        keys: torch.Tensor,
    ) -> dict[str, torch.Tensor]:
        """Compute the loss of a batch."""
        settings = self._settings
        ours = _in_order(self._encode(texts), order)
        theirs = self._targets(english, english_order, passages)
        loss = contrastive_loss(ours, theirs, keys, settings.temperature)
        if settings.cosine and bool(same.any()):
            loss = loss + settings.cosine * (1 - (ours * theirs).sum(dim=1)[same].mean())
        return {"loss": check_finite(loss)}

    def _encode(self, chunks: Sequence[Features]) -> torch.Tensor:
        """Encode chunks; subword vectors are looked up once, or each chunk would have a gradient for all."""
        table = self.student.model.get_input_embeddings()
        numbers = torch.cat([chunk["input_ids"].flatten() for chunk in chunks])
        used, places = torch.unique(numbers, return_inverse=True)
        looked_up, start, encoded = table(used), 0, []
        for chunk in chunks:
            ids = chunk["input_ids"]
            vectors = torch.nn.functional.embedding(places[start : start + ids.numel()], looked_up)
            features = {
                "inputs_embeds": vectors.view(*ids.shape, -1),
                "attention_mask": chunk["attention_mask"],
            }
            encoded.append(self.student(features))
            start += ids.numel()
        return torch.cat(encoded)

    @torch.no_grad()
    def _targets(
        self, chunks: Sequence[Features], order: torch.Tensor, passages: torch.Tensor
    ) -> torch.Tensor:
        english, vectors = self._fixed
        found = vectors.to(passages.device)[passages.clamp(min=0)]
        if chunks:
            found[order] = torch.cat([english(chunk) for chunk in chunks])
        return found


def _in_order(vectors: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
    return torch.empty_like(vectors).index_copy(0, order, vectors)


def learn_translations(
    student: DualEncoder,
    english: DualEncoder,
    data: TrainingSet,
    settings: tuple[PairSettings, TranslationSettings],
    seed: int,
    folder: Path,
) -> Log:
    """Train a student in place, going on from the last checkpoint in ``folder``.

    A text's vector is drawn to the vector that the English encoder gives its English (Reimers and Gurevych
    2020), and away from those of the other texts in the batch; a query's to its passage's.

    Parameters
    ----------
    student
        From `qgdr_pyserini.train.embedding_start.extend_vocabulary`.
    english
        The encoder whose space is learned.
    data
        What to learn from.
    settings
        Of the pairs, and of the training.
    seed
        Of everything random.
    folder
        For checkpoints and TensorBoard logs.

    Returns
    -------
    list of dict
        The Trainer's log: step, loss and learning rate.
    """
    pairs, training = settings
    contents = [row.contents for row in data.passages.values()]
    with computing_in(training.precision):
        passages = torch.from_numpy(english.encode_passages(contents))
    lengths = (english.config.query_max_length, english.config.passage_max_length)
    batches = TranslationBatches(
        pair_sources(data, pairs),
        student.tokenizer,
        english.tokenizer,
        lengths,
        contents,
        training.steps,
        seed,
    )
    trainer = Trainer(
        model=TranslationStudent(student, english, passages, training),
        args=whole_batch_arguments(training, seed, folder),
        train_dataset=batches,
        data_collator=lambda batch: batch[0],
        optimizers=(_optimizer(student, training), None),
    )
    log = fit(trainer, "translation", folder)
    student.eval()
    return log


def _optimizer(student: DualEncoder, settings: TranslationSettings) -> torch.optim.Optimizer:
    """Make AdamW with a rate of its own for the subword vectors: each is in few batches."""
    table = student.model.get_input_embeddings().weight
    layers = [parameter for parameter in student.parameters() if parameter is not table]
    groups = [
        {"params": [table], "lr": settings.vector_learning_rate},
        {"params": layers, "lr": settings.learning_rate},
    ]
    return torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=0.0, fused=True)
