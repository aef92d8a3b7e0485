"""Distillation: settings, the losses of a batch, and the training loop."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import torch
from pydantic import Field, model_validator
from transformers import Trainer

from qgdr_pyserini.collection.tevatron import CandidateList
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.losses.alignment import AgreementSettings, AlignmentSettings, alignment_loss
from qgdr_pyserini.losses.contrastive import HardNegatives, contrastive_loss
from qgdr_pyserini.losses.distillation import distillation_loss, extend_by_batch
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.padding import Chunks, encode_chunks
from qgdr_pyserini.model.precision import in_full
from qgdr_pyserini.settings import Settings
from qgdr_pyserini.train.anchor import Anchor, AnchorSettings, Held
from qgdr_pyserini.train.distillation_batches import Collator, Draw, Examples, Hold, Replay, Switch, align
from qgdr_pyserini.train.pairs import SourcesSettings
from qgdr_pyserini.train.sampling import SamplerSettings
from qgdr_pyserini.train.trainer import (
    Log,
    Trained,
    TrainingSettings,
    check_finite,
    fit,
    gather,
    training_arguments,
)


class ReplaySettings(Settings):
    """A batch of the pairs that the student was pre-trained on, beside every batch of queries.

    A student from scratch knows the words of most languages from such pairs alone, and would forget
    them while it learns from queries in a few.

    Parameters
    ----------
    weight
        Of its contrastive loss.
    batch_size
        Pairs, over all processes, all negatives of each other.
    sources
        Where they come from; from all of the recipe's ``pairs`` when None.
    """

    weight: float = Field(default=1.0, gt=0)
    batch_size: int = Field(default=256, ge=2)
    sources: SourcesSettings | None = None


class DistillationSettings(TrainingSettings):
    """Training the student by a teacher, by generated queries, and by hard negatives.

    Parameters
    ----------
    freeze_vectors, freeze_layers
        Leave the student's subword vectors, and so many of its lowest layers, as they are; see
        `qgdr_pyserini.train.distillation`.
    interpolation
        Of the student before and the trained one, so much of the latter's weights is in their mean, which is
        what goes on; see `qgdr_pyserini.train.student`. With 1 it is the trained student.
    candidates
        Passages for each query, its positive among them. With 1, nothing is mined: the other queries'
        passages are the negatives, which is for the contrastive loss alone.
    article_block
        The most queries about passages of one title that stand side by side. Their passages are
        encoded once and are hard negatives of each other, so a batch teaches several times as much in
        the same time where articles have several passages with several queries each.
    code_switched
        How often an English query is put into another language word by word, through the lexicon and
        the names of a training set.
    student_temperature, teacher_temperature
        τ_s and τ_t. The published 1 suits vectors of any length; unit vectors, whose inner
        products lie between -1 and 1, need a τ_s of some 0.05.
    in_batch
        Whether the other queries' candidates count as well; the teacher gives them no probability.
    kd, alpha, beta
        λ, α and β; the paper's are 1, 1 and 0. With λ = α = 0 no teacher is needed.
    contrastive_temperature
        Of the contrastive loss.
    alignment, agreement, sampler
        Of the query alignment.
    replay
        Pairs of the pre-training, to keep what they taught; None for none.
    anchor
        Leave the passages' vectors as the student before has them, and compute questions alone; the replayed
        pairs, translations then, follow their English. None computes passages and questions.
    """

    freeze_vectors: bool = False
    freeze_layers: int = Field(default=0, ge=0)
    interpolation: float = Field(default=1.0, gt=0, le=1)
    candidates: int = Field(default=16, ge=1)
    article_block: int = Field(default=1, ge=1)
    code_switched: float = Field(default=0.0, ge=0, le=1)
    student_temperature: float = Field(default=1.0, gt=0)
    teacher_temperature: float = Field(default=1.0, gt=0)
    in_batch: bool = False
    kd: float = Field(default=1.0, ge=0)
    alpha: float = Field(default=1.0, ge=0)
    beta: float = Field(default=0.0, ge=0)
    contrastive_temperature: float = Field(default=1.0, gt=0)
    alignment: AlignmentSettings = AlignmentSettings()
    agreement: AgreementSettings = AgreementSettings()
    sampler: SamplerSettings = SamplerSettings()
    replay: ReplaySettings | None = None
    anchor: AnchorSettings | None = None

    @model_validator(mode="after")
    def _something_to_tell_apart(self) -> Self:
        if self.candidates == 1 and (self.kd or self.alpha):
            raise ValueError("'candidates' must be 2 or more where 'kd' or 'alpha' is above 0")
        return self


class WarmupSettings(DistillationSettings):
    """Training the student before there is a teacher: the contrastive loss alone."""

    kd: float = Field(default=0.0, ge=0)
    alpha: float = Field(default=0.0, ge=0)
    beta: float = Field(default=1.0, ge=0)


def freeze(encoder: DualEncoder, *, vectors: bool, layers: int) -> None:
    """Freeze an encoder's lowest parts, and make the rest trainable.

    Training data show few of a large vocabulary's subwords, and few of its languages: those that they do not
    show would be left behind. Freezing the lowest layers of a multilingual BERT can help what is learned in
    one language to carry over to others (Wu & Dredze 2019, "Beto, Bentz, Becas"), and saves their part of the
    backward pass.

    Parameters
    ----------
    encoder
        Changed in place.
    vectors
        Whether the table of subword vectors is frozen.
    layers
        How many layers are frozen from the lowest on; with them goes all that comes before them.

    Raises
    ------
    QgdrError
        If the encoder has fewer layers.
    """
    model = encoder.model
    model.requires_grad_(True)
    stack = _layers(model)
    if layers > len(stack):
        raise QgdrError(f"freeze_layers {layers}: the student has {len(stack)} layers")
    if layers:
        getattr(model, "embeddings", model.get_input_embeddings()).requires_grad_(False)
    for layer in stack[:layers]:
        layer.requires_grad_(False)
    model.get_input_embeddings().weight.requires_grad_(not vectors and not layers)


def _layers(model: torch.nn.Module) -> torch.nn.ModuleList:
    """Find the stack of layers: the one list of modules that is as long as the model is deep."""
    depth = getattr(model.config, "num_hidden_layers", 0)
    for module in model.modules():
        if isinstance(module, torch.nn.ModuleList) and len(module) == depth:
            return module
    return torch.nn.ModuleList()


class Distiller(Trained):
    """What the Trainer sees: a batch made by `Collator` in, a loss out."""

    def __init__(
        self, encoder: DualEncoder, settings: DistillationSettings, anchor: Anchor | None = None
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self._settings = settings
        self._anchor = anchor

    def forward(
        self,
        queries: Chunks,
        places: torch.Tensor,
        teacher: torch.Tensor,
        mask: torch.Tensor,
        keys: torch.Tensor,
        labelled: torch.Tensor,
        passages: Chunks | None = None,
        held: Held | None = None,
        aligned: Chunks | None = None,
        agreement: torch.Tensor | None = None,
        replay: tuple[Chunks, Chunks, torch.Tensor] | None = None,
    ) -> dict[str, torch.Tensor]:
        """Compute the loss of a batch."""
        settings = self._settings
        if self._anchor:
            self._anchor.to(self.encoder.device)
        q, p = self._encode(queries), self._passages(passages)[places]
        a = self._encode(aligned) if settings.alpha and aligned is not None else None
        r = self._pairs(*replay[:2]) if settings.replay and replay is not None else None
        h = self._encode(held[0]) if held is not None else None
        with in_full(q.device):
            loss = q.new_zeros(())
            if settings.kd:
                loss = loss + settings.kd * self._distillation(q, p, teacher, mask, keys)
            if a is not None and agreement is not None:
                loss = loss + settings.alpha * self._alignment(q, a, p, agreement, teacher, mask, keys)
            if settings.beta:
                loss = loss + settings.beta * self._contrastive(q, p, mask, keys, labelled)
            if settings.replay and r is not None and replay is not None:
                loss = loss + settings.replay.weight * self._replay(*r, replay[2])
            if self._anchor and h is not None and held is not None:
                loss = loss + self._anchor.hold(h, held[1])
        return {"loss": check_finite(loss)}

    def _passages(self, passages: Chunks | None) -> torch.Tensor:
        """Encode the batch's passages, or take the vectors of all of them."""
        if self._anchor:
            return self._anchor.vectors
        assert passages is not None
        return self._encode(passages)

    def _alignment(
        self,
        q: torch.Tensor,
        aligned: torch.Tensor,
        p: torch.Tensor,
        agreement: torch.Tensor,
        teacher: torch.Tensor,
        mask: torch.Tensor,
        keys: torch.Tensor,
    ) -> torch.Tensor:
        settings = self._settings.alignment
        source, generated = _scores(q, p), _scores(aligned, p)
        if settings.in_batch:
            batch = [gather(x) for x in (p, keys, teacher, mask)]
            source, _, mask = extend_by_batch(gather(q), *batch)
            generated = extend_by_batch(gather(aligned), *batch).student
            agreement = gather(agreement)
        return alignment_loss(source, generated, agreement, mask, settings)

    def _distillation(
        self, q: torch.Tensor, p: torch.Tensor, teacher: torch.Tensor, mask: torch.Tensor, keys: torch.Tensor
    ) -> torch.Tensor:
        settings = self._settings
        candidates = (_scores(q, p), teacher, mask)
        if settings.in_batch:
            candidates = extend_by_batch(gather(q), gather(p), gather(keys), gather(teacher), gather(mask))
        return distillation_loss(*candidates, settings.student_temperature, settings.teacher_temperature)

    def _contrastive(
        self,
        q: torch.Tensor,
        p: torch.Tensor,
        mask: torch.Tensor,
        keys: torch.Tensor,
        labelled: torch.Tensor,
    ) -> torch.Tensor:
        """Compute the loss of the queries whose positive is known, as a share of all queries."""
        known = gather(labelled)
        q, p, mask, keys = (gather(x)[known] for x in (q, p, mask, keys))
        if not len(q):
            return q.new_zeros(())
        negatives = HardNegatives(*(x[:, 1:].flatten(0, 1) for x in (p, keys, mask)))
        temperature = self._settings.contrastive_temperature
        loss = contrastive_loss(q, p[:, 0], keys[:, 0], temperature, negatives)
        return loss * (len(q) / len(known))

    def _encode(self, texts: Chunks) -> torch.Tensor:
        return encode_chunks(self.encoder, texts)

    def _pairs(self, texts: Chunks, others: Chunks) -> tuple[torch.Tensor, torch.Tensor]:
        """Encode both sides of replayed pairs; the second as the student before did, if that is kept."""
        return self._encode(texts), self._anchor.encode(others) if self._anchor else self._encode(others)

    def _replay(self, texts: torch.Tensor, others: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
        if self._anchor:
            return self._anchor.follow(texts, others)
        temperature = self._settings.contrastive_temperature
        return contrastive_loss(gather(texts), gather(others), gather(keys), temperature)


def distil(
    encoder: DualEncoder,
    rows: Sequence[CandidateList],
    generated: Sequence[CandidateList],
    settings: DistillationSettings,
    seed: int,
    folder: Path,
    *,
    replay: Replay | None = None,
    switch: Switch | None = None,
    anchor: Anchor | None = None,
    stage: str = "distillation",
) -> Log:
    """Train an encoder in place, going on from the last checkpoint in ``folder``.

    Parameters
    ----------
    encoder
        The student.
    rows
        Queries with candidates, which the teacher has scored unless ``kd`` and ``alpha`` are 0. Those
        without a positive have no part in the contrastive loss.
    generated
        Generated queries with the same candidates, scored for themselves; may be empty.
    settings
        Losses and training.
    seed
        Of everything random.
    folder
        For checkpoints and TensorBoard logs.
    replay
        Draws the pairs for ``settings.replay``.
    switch
        Puts English queries into other languages, for ``settings.code_switched``.
    anchor
        For ``settings.anchor``; knows every candidate.
    stage
        Its name, for messages.

    Returns
    -------
    list of dict
        The Trainer's log: step, loss and learning rate.

    Raises
    ------
    QgdrError
        If scores are missing, a generated query has other candidates than its source, the batch
        cannot be divided among the processes, the loss is NaN or infinite, or memory runs out.
    """
    aligned = align(rows, generated, settings.agreement) if settings.alpha else {}
    sizes = (settings.candidates, settings.batch_size, settings.steps, seed)
    draw = Draw(*sizes, settings.article_block, settings.code_switched)
    scored = bool(settings.kd or settings.alpha)
    freeze(encoder, vectors=settings.freeze_vectors, layers=settings.freeze_layers)
    trainer = Trainer(
        model=Distiller(encoder, settings, anchor),
        args=training_arguments(settings, seed, folder),
        train_dataset=Examples(rows, aligned, settings.sampler, draw, scored=scored, switch=switch),
        data_collator=Collator(
            encoder,
            settings.candidates,
            replay=replay if settings.replay else None,
            hold=Hold(anchor, seed) if anchor else None,
        ),
    )
    log = fit(trainer, stage, folder)
    encoder.eval()
    return log


def _scores(queries: torch.Tensor, passages: torch.Tensor) -> torch.Tensor:
    """Score each query against its own candidates, ``(queries, candidates)``."""
    return torch.einsum("qd,qcd->qc", queries, passages)
