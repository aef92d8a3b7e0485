"""Training the student: distillation of a teacher's scores, query alignment, contrastive loss."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import Trainer

from qgdr_pyserini.collection.tevatron import CandidateList
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.precision import in_full
from qgdr_pyserini.train.anchor import Anchor, Held
from qgdr_pyserini.train.chunks import Chunks, encode_chunks
from qgdr_pyserini.train.distillation_data import Collator, Draw, Examples, Hold, Replay, Switch, align
from qgdr_pyserini.train.distillation_settings import DistillationSettings
from qgdr_pyserini.train.freezing import freeze
from qgdr_pyserini.train.gather import gather
from qgdr_pyserini.train.losses.alignment import alignment_loss
from qgdr_pyserini.train.losses.contrastive import HardNegatives, contrastive_loss
from qgdr_pyserini.train.losses.distillation import distillation_loss, extend_by_batch
from qgdr_pyserini.train.training import Log, Trained, check_finite, fit, training_arguments


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
        The student: a transformer, or a bag that was turned into one.
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
        cannot be divided among the processes, the loss is no number, or memory runs out.
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
