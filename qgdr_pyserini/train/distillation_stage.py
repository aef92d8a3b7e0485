"""Distillation of a teacher's scores into a dual encoder, with query alignment."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from pydantic import Field
from transformers import Trainer, TrainingArguments
from transformers.trainer_utils import get_last_checkpoint

from qgdr_pyserini.collection.tevatron import CandidateList
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.settings import Settings
from qgdr_pyserini.train.distillation_data import Collator, Draw, Examples, align
from qgdr_pyserini.train.gather import gather
from qgdr_pyserini.train.language_sampler import SamplerSettings
from qgdr_pyserini.train.losses.agreement import AgreementSettings
from qgdr_pyserini.train.losses.alignment import AlignmentSettings, alignment_loss
from qgdr_pyserini.train.losses.contrastive import HardNegatives, contrastive_loss
from qgdr_pyserini.train.losses.distillation import distillation_loss, extend_by_batch

Features = dict[str, torch.Tensor]


class DistillationSettings(Settings):
    """Distillation: L = L_KD + α·L_A + β·L_contrastive.

    Parameters
    ----------
    steps
        Number of updates.
    batch_size
        Queries an update, over all processes.
    candidates
        Passages for each query, its positive among them.
    learning_rate, warmup_ratio
        Peak, and share of the steps that it is risen to over; then it falls to zero linearly.
    student_temperature, teacher_temperature
        τ_s and τ_t. The published 1 suits vectors of any length; unit vectors, whose inner
        products lie between -1 and 1, need a τ_s of some 0.05.
    in_batch
        Whether the other queries' candidates count as well; the teacher gives them no probability.
    alpha, beta
        α and β; the paper's α is 1, and it distils without the contrastive loss.
    contrastive_temperature
        Of the contrastive loss.
    alignment, agreement, sampler
        Of the query alignment.
    save_steps
        Steps between checkpoints.
    """

    steps: int = Field(ge=1)
    batch_size: int = Field(default=32, ge=1)
    candidates: int = Field(default=16, ge=2)
    learning_rate: float = Field(default=1e-5, gt=0)
    warmup_ratio: float = Field(default=0.1, ge=0, lt=1)
    student_temperature: float = Field(default=1.0, gt=0)
    teacher_temperature: float = Field(default=1.0, gt=0)
    in_batch: bool = False
    alpha: float = Field(default=1.0, ge=0)
    beta: float = Field(default=0.0, ge=0)
    contrastive_temperature: float = Field(default=1.0, gt=0)
    alignment: AlignmentSettings = AlignmentSettings()
    agreement: AgreementSettings = AgreementSettings()
    sampler: SamplerSettings = SamplerSettings()
    save_steps: int = Field(default=500, ge=1)


class Distiller(torch.nn.Module):
    """What the Trainer sees: a batch made by `Collator` in, a loss out."""

    def __init__(self, encoder: DualEncoder, settings: DistillationSettings) -> None:
        super().__init__()
        self.encoder = encoder
        self._settings = settings

    def forward(
        self,
        queries: Features,
        aligned: Features,
        passages: Features,
        agreement: torch.Tensor,
        teacher: torch.Tensor,
        mask: torch.Tensor,
        keys: torch.Tensor,
    ) -> dict[str, torch.Tensor]:
        """Compute the loss of a batch."""
        settings = self._settings
        q, encoded = self.encoder(queries), self.encoder(passages)
        p = encoded.new_zeros(*mask.shape, encoded.shape[1]).masked_scatter(mask.unsqueeze(2), encoded)
        own = _scores(q, p)
        candidates = (own, teacher, mask)
        if settings.in_batch:
            candidates = extend_by_batch(gather(q), gather(p), gather(keys), gather(teacher), gather(mask))
        loss = distillation_loss(*candidates, settings.student_temperature, settings.teacher_temperature)
        if settings.alpha:
            others = _scores(self.encoder(aligned), p)
            loss = loss + settings.alpha * alignment_loss(own, others, agreement, mask, settings.alignment)
        if settings.beta:
            loss = loss + settings.beta * self._contrastive(q, p, mask, keys)
        if not torch.isfinite(loss):
            raise FloatingPointError
        return {"loss": loss}

    def _contrastive(
        self, q: torch.Tensor, p: torch.Tensor, mask: torch.Tensor, keys: torch.Tensor
    ) -> torch.Tensor:
        negatives = HardNegatives(*(gather(x[:, 1:].flatten(0, 1)) for x in (p, keys, mask)))
        temperature = self._settings.contrastive_temperature
        return contrastive_loss(gather(q), gather(p[:, 0]), gather(keys[:, 0]), temperature, negatives)


def distil(
    encoder: DualEncoder,
    rows: Sequence[CandidateList],
    generated: Sequence[CandidateList],
    settings: DistillationSettings,
    seed: int,
    folder: Path,
) -> list[dict[str, float]]:
    """Train an encoder in place, going on from the last checkpoint in ``folder``.

    Parameters
    ----------
    encoder
        The student: a transformer, or a bag that was turned into one.
    rows
        Queries whose candidates the teacher has scored.
    generated
        Generated queries with the same candidates, scored for themselves; may be empty.
    settings
        Losses and training.
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
        If scores are missing, a generated query has other candidates than its source, the batch
        cannot be divided among the processes, the loss is no number, or memory runs out.
    """
    arguments = _arguments(settings, seed, folder)
    if settings.batch_size % arguments.world_size:
        raise QgdrError(
            f"batch_size {settings.batch_size} cannot be divided by {arguments.world_size} processes"
        )
    aligned = align(rows, generated, settings.agreement) if settings.alpha else {}
    draw = Draw(settings.candidates, settings.batch_size, settings.steps, seed)
    arguments.per_device_train_batch_size = settings.batch_size // arguments.world_size
    trainer = Trainer(
        model=Distiller(encoder, settings),
        args=arguments,
        train_dataset=Examples(rows, aligned, settings.sampler, draw),
        data_collator=Collator(encoder, settings.candidates),
    )
    _train(trainer, folder)
    encoder.eval()
    return [row for row in trainer.state.log_history if "loss" in row]


def _train(trainer: Trainer, folder: Path) -> None:
    kept = f"the checkpoints in {folder} are kept"
    try:
        trainer.train(resume_from_checkpoint=get_last_checkpoint(str(folder)) if folder.exists() else None)
    except FloatingPointError:
        where = f"distillation, step {trainer.state.global_step}: the loss is no number"
        raise QgdrError(f"{where}; lower learning_rate or raise the temperatures; {kept}") from None
    except torch.OutOfMemoryError:
        where = f"distillation, step {trainer.state.global_step}: out of memory"
        raise QgdrError(f"{where}; lower batch_size or candidates; {kept}") from None


def _scores(queries: torch.Tensor, passages: torch.Tensor) -> torch.Tensor:
    """Score each query against its own candidates, ``(queries, candidates)``."""
    return torch.einsum("qd,qcd->qc", queries, passages)


def _arguments(settings: DistillationSettings, seed: int, folder: Path) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=settings.steps,
        train_sampling_strategy="sequential",
        learning_rate=settings.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=round(settings.warmup_ratio * settings.steps),
        optim="adamw_torch",
        save_steps=settings.save_steps,
        save_total_limit=2,
        logging_steps=10,
        report_to=["tensorboard"],
        disable_tqdm=True,
        remove_unused_columns=False,
        seed=seed,
        use_cpu=not torch.cuda.is_available(),
    )
