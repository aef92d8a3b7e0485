"""The student: where it starts, the stages that train it, and the way back between its weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from qgdr_pyserini.collection.tevatron import CandidateList
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.config import EncoderConfig
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.loading import ModelSource
from qgdr_pyserini.model.pruning import prune
from qgdr_pyserini.model.registry import find_own_encoder
from qgdr_pyserini.train.anchor import Anchor
from qgdr_pyserini.train.context import StageContext
from qgdr_pyserini.train.data import TrainingData
from qgdr_pyserini.train.distillation import DistillationSettings, distil
from qgdr_pyserini.train.distillation_batches import Replay, Switch
from qgdr_pyserini.train.measure import CUTOFF, recall_by_language
from qgdr_pyserini.train.mining import known_vectors
from qgdr_pyserini.train.negatives import drop_likely_positives
from qgdr_pyserini.train.pairs import CodeSwitcher, pair_sources
from qgdr_pyserini.train.recipe import Recipe, recipe_names
from qgdr_pyserini.train.stages import Done, Stages, read_rows, save_model
from qgdr_pyserini.train.trainer import computing_in, processes

# Names of the rates in configurations of transformers: BERT and its kin, DistilBERT, T5.
_DROPOUTS = (
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    "dropout",
    "attention_dropout",
    "dropout_rate",
)


def first_student(recipe: Recipe, data: TrainingData, stages: Stages) -> Done:
    """Start from a checkpoint: prune its vocabulary, set its dropout and its prefixes.

    Parameters
    ----------
    recipe, data, stages
        Of the run.

    Raises
    ------
    QgdrError
        If the checkpoint cannot be loaded, or is the name of a recipe that nobody has trained here.
    """
    student = recipe.student
    try:
        known: Path | None = find_own_encoder(student.checkpoint)
    except QgdrError:
        if student.checkpoint in recipe_names():
            raise QgdrError(_untrained(student.checkpoint)) from None
        known = None  # any other transformer

    def start(folder: Path) -> dict[str, Any]:
        if known is not None:
            encoder = DualEncoder.from_pretrained(known)
        else:
            source = ModelSource(checkpoint=student.checkpoint)
            encoder = DualEncoder.from_source(source, _config(recipe), seed=recipe.seed)
        if student.prune is not None:
            encoder = prune(encoder, data.texts(), student.prune)
        if student.dropout is not None:
            _set_dropout(encoder, student.dropout)
        save_model(encoder, folder)
        return {"checkpoint": student.checkpoint, "subwords": len(encoder.tokenizer)}

    digest = DualEncoder.from_pretrained(known).fingerprint if known is not None else ""
    builds_on = [digest, *([data.digest] if student.prune else [])]
    return stages.run("student", student, builds_on, start)


def _set_dropout(encoder: DualEncoder, rate: float) -> None:
    """Write a rate into the model's configuration, under whatever names its family has for it."""
    config = encoder.model.config
    for name in config.to_dict():
        if name in _DROPOUTS:
            setattr(config, name, rate)


def _untrained(name: str) -> str:
    return (
        f"encoder {name!r} has a recipe here and no weights; train it with 'qgdr train {name}' "
        "and pass --set student.checkpoint=DIR with its folder"
    )


def _config(recipe: Recipe) -> EncoderConfig:
    student = recipe.student
    return EncoderConfig(
        pooling=student.pooling,
        normalize=student.normalize,
        query_prefix=student.query_prefix,
        passage_prefix=student.passage_prefix,
        query_max_length=student.query_max_length,
        passage_max_length=student.passage_max_length,
    )


@torch.no_grad()
def interpolate(before: DualEncoder, after: DualEncoder, share: float) -> None:
    r"""Take the weights between two students of one architecture, in place of those of ``after``.

    .. math:: (1 - \alpha) \cdot \theta_\mathrm{before} + \alpha \cdot \theta_\mathrm{after}

    What was fine-tuned on little data forgets some of what it knew of everything else; on the straight line
    between the two, much of what is new is there already, and most of what was known still (WiSE-FT:
    Wortsman et al. 2022, "Robust fine-tuning of zero-shot models").

    Parameters
    ----------
    before
        Left as it is.
    after
        Trained from it; changed in place.
    share
        α, of ``after``.

    Examples
    --------
    >>> from qgdr_pyserini.model.registry import find_encoder
    >>> before, after = (DualEncoder.from_pretrained(find_encoder("qgdr")) for _ in range(2))
    >>> old, new = (encoder.model.get_input_embeddings().weight for encoder in (before, after))
    >>> _ = new.data.add_(4.0)
    >>> interpolate(before, after, 0.75)
    >>> bool(torch.allclose(new - old, torch.tensor(3.0), atol=1e-5))
    True
    """
    old = before.state_dict()
    for name, weight in after.state_dict().items():
        if weight.is_floating_point():
            weight.lerp_(old[name].to(weight), 1.0 - share)


class StudentTrainer:
    """Trains the student by the settings of a group of the recipe.

    Parameters
    ----------
    context
        The run and the iteration.
    settings
        ``warmup`` or ``distillation``.
    """

    def __init__(self, context: StageContext, settings: DistillationSettings) -> None:
        self._context, self._settings = context, settings

    def train(
        self,
        name: str,
        student: Done,
        rows: Done,
        generated: Done | None = None,
        *,
        encoded: Done | None = None,
    ) -> Done:
        """Train the student, and measure it on held-out queries.

        Parameters
        ----------
        name
            Of the stage.
        student
            From the iteration before.
        rows
            The stage that wrote queries with candidates, and scored them where something does.
        generated
            The stage that scored queries to align, if there are any.
        encoded
            The student's vectors of all passages, where it is anchored.
        """
        context, settings, recipe = self._context, self._settings, self._context.recipe

        def work(folder: Path) -> dict[str, Any]:
            encoder = DualEncoder.from_pretrained(student.model)
            found, written = read_rows(rows), read_rows(generated) if generated else []
            anchor = self._anchor(encoder, encoded) if encoded else None
            if settings.kd:
                found, written = without_likely_positives(found, written, recipe.negatives.margin)
            log = distil(
                encoder,
                found,
                written,
                settings,
                recipe.seed,
                folder,
                replay=self._replay(),
                switch=self._switch(),
                anchor=anchor,
                stage=context.named(name),
            )
            save_model(encoder, folder)
            counts = {"queries": len(found), "generated": len(written)}
            return {"log": log, **counts, **self._measured(encoder)}

        builds_on = [student, rows, *([generated] if generated else [])]
        trained = context.run(name, self._values, builds_on, work)
        return trained if settings.interpolation == 1.0 else self._interpolated(student, trained)

    def _interpolated(self, before: Done, trained: Done) -> Done:
        """Go back a part of the way from the trained student's weights."""
        share = self._settings.interpolation

        def work(folder: Path) -> dict[str, Any]:
            encoder = DualEncoder.from_pretrained(trained.model)
            interpolate(DualEncoder.from_pretrained(before.model), encoder, share)
            save_model(encoder, folder)
            return {"share": share, "before": before.name, "after": trained.name, **self._measured(encoder)}

        return self._context.run("interpolate", {"share": share}, [before, trained], work)

    @property
    def _values(self) -> dict[str, Any]:
        settings, recipe = self._settings, self._context.recipe
        values = {"seed": recipe.seed, **settings.model_dump(exclude={"interpolation"})}
        values |= {"margin": recipe.negatives.margin} if settings.kd else {}
        if (settings.replay or settings.code_switched) and recipe.pairs:
            values["pairs"] = recipe.pairs.model_dump()
        return values

    def _anchor(self, encoder: DualEncoder, encoded: Done) -> Anchor:
        assert self._settings.anchor is not None
        passages, vectors = known_vectors(self._context, encoded)
        contents = {passage.docid: passage.contents for passage in passages}
        return Anchor(encoder, contents, vectors, self._settings.anchor)

    def _replay(self) -> Replay | None:
        settings, recipe, data = self._settings, self._context.recipe, self._context.data.pairs
        if settings.replay is None or recipe.pairs is None or data is None:
            return None
        pairs = recipe.pairs
        if settings.replay.sources:
            pairs = pairs.model_copy(update={"sources": settings.replay.sources})
        size = settings.replay.batch_size // processes().num_processes
        return Replay(pair_sources(data, pairs), size, recipe.seed, mixed=settings.anchor is not None)

    def _switch(self) -> Switch | None:
        pairs, data = self._context.recipe.pairs, self._context.data.pairs
        if not self._settings.code_switched or pairs is None or data is None:
            return None
        return CodeSwitcher([*data.lexicon, *data.names], pairs.lowest_switch_rate).switch

    def _measured(self, encoder: DualEncoder) -> dict[str, Any]:
        """Measure the student; the last one is measured when it is exported, and not here."""
        recipe, data = self._context.recipe, self._context.data
        last = self._context.number == recipe.iterations
        if last or not data.held_out or not processes().is_main_process:
            return {}
        with computing_in(recipe.negatives.precision):
            return {"recall": recall_by_language(encoder, data.held_out, data.pool(), CUTOFF)}


def without_likely_positives(
    rows: Sequence[CandidateList], generated: Sequence[CandidateList], margin: float
) -> tuple[list[CandidateList], list[CandidateList]]:
    """Drop negatives that the teacher takes for answers, from queries and what is aligned with them alike."""
    kept = {row.query_id: drop_likely_positives(row, margin) for row in rows}
    docids = {qid: {item.passage.docid for item in row.negatives} for qid, row in kept.items()}
    return list(kept.values()), [
        dataclasses.replace(
            row,
            negatives=tuple(c for c in row.negatives if c.passage.docid in docids[row.aligned_with]),
        )
        for row in generated
        if row.aligned_with in docids
    ]
