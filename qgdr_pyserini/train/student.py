"""The student: where it starts, the stages that train it, and the way back between its weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from qgdr_pyserini.collection.tevatron import CandidateList
from qgdr_pyserini.collection.training_set import TrainingSet
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.config import EncoderConfig
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.loading import ModelSource
from qgdr_pyserini.model.pruning import prune
from qgdr_pyserini.model.registry import find_own_encoder
from qgdr_pyserini.train.anchor import Anchor
from qgdr_pyserini.train.context import StageContext
from qgdr_pyserini.train.data import Corpus, TrainingData
from qgdr_pyserini.train.distillation import DistillationSettings, distil
from qgdr_pyserini.train.distillation_batches import Replay, Switch
from qgdr_pyserini.train.measure import DevSet
from qgdr_pyserini.train.mining import known_vectors
from qgdr_pyserini.train.negatives import drop_likely_positives
from qgdr_pyserini.train.pairs import CodeSwitcher, PairSettings, pair_sources
from qgdr_pyserini.train.recipe import Recipe, StudentSettings, recipe_names
from qgdr_pyserini.train.stages import Done, Fingerprinted, Means, Stage, Stages, read_rows, save_model
from qgdr_pyserini.train.trainer import processes

# Names of the rates in configurations of transformers: BERT and its kin, DistilBERT, T5.
_DROPOUTS = (
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    "dropout",
    "attention_dropout",
    "dropout_rate",
)


@dataclasses.dataclass(frozen=True)
class StartStudent(Stage):
    """Start from a checkpoint: prune its vocabulary, set its dropout and its prefixes.

    Parameters
    ----------
    settings
        Of the student.
    seed
        Of weights that the checkpoint lacks.
    encoder
        Digest of the encoder that the checkpoint names; empty for any other transformer.
    texts
        What the vocabulary is pruned by; None where it stays whole.
    folder
        The encoder's.
    """

    settings: StudentSettings
    seed: int
    encoder: str
    texts: Fingerprinted[Callable[[], Iterator[str]]] | None
    folder: Means[Path | None]

    def work(self, folder: Path) -> dict[str, Any]:
        """Load it, change it and save it."""
        settings, known = self.settings, self.folder.value
        if known is not None:
            encoder = DualEncoder.from_pretrained(known)
        else:
            source = ModelSource(checkpoint=settings.checkpoint)
            encoder = DualEncoder.from_source(source, _config(settings), seed=self.seed)
        if settings.prune is not None and self.texts is not None:
            encoder = prune(encoder, self.texts.value(), settings.prune)
        if settings.dropout is not None:
            _set_dropout(encoder, settings.dropout)
        save_model(encoder, folder)
        return {"checkpoint": settings.checkpoint, "subwords": len(encoder.tokenizer)}


def first_student(recipe: Recipe, data: TrainingData, stages: Stages) -> Done:
    """Run the stage that the student starts with.

    Parameters
    ----------
    recipe, data, stages
        Of the run.

    Raises
    ------
    QgdrError
        If the checkpoint cannot be loaded, or is the name of a recipe that nobody has trained here.
    """
    settings = recipe.student
    folder, digest = None, ""
    try:
        folder = find_own_encoder(settings.checkpoint)
        digest = DualEncoder.from_pretrained(folder).fingerprint
    except QgdrError:
        if folder is not None:
            raise
        if settings.checkpoint in recipe_names():
            raise QgdrError(_untrained(settings.checkpoint)) from None
    texts = data.texts if settings.prune else None
    return stages.run("student", StartStudent(settings, recipe.seed, digest, texts, Means(folder)))


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


def _config(settings: StudentSettings) -> EncoderConfig:
    return EncoderConfig(
        pooling=settings.pooling,
        normalize=settings.normalize,
        query_prefix=settings.query_prefix,
        passage_prefix=settings.passage_prefix,
        query_max_length=settings.query_max_length,
        passage_max_length=settings.passage_max_length,
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


@dataclasses.dataclass(frozen=True)
class TrainStudent(Stage):
    """Train the student, and measure it on held-out queries.

    Parameters
    ----------
    settings, seed
        Of the training.
    student
        From the iteration before.
    rows
        The stage that wrote queries with candidates, and scored them where something does.
    generated
        The stage that scored queries to align, if there are any.
    margin
        Of negatives that the teacher takes for answers; see `without_likely_positives`.
    pair_settings, pairs
        Of what is replayed, and put into other languages word by word; None where nothing is.
    corpus, encoded
        All passages, and the student's vectors of them, where it is anchored to them.
    dev
        What it is measured on; None where it is not.
    """

    settings: DistillationSettings
    seed: int
    student: Done
    rows: Done
    generated: Done | None
    margin: float | None
    pair_settings: PairSettings | None
    pairs: Fingerprinted[TrainingSet] | None
    corpus: Corpus | None
    encoded: Done | None
    dev: DevSet | None

    def work(self, folder: Path) -> dict[str, Any]:
        """Train from the last checkpoint on, save and measure."""
        encoder = DualEncoder.from_pretrained(self.student.model)
        found, written = read_rows(self.rows), read_rows(self.generated) if self.generated else []
        if self.margin is not None:
            found, written = without_likely_positives(found, written, self.margin)
        log = distil(
            encoder,
            found,
            written,
            self.settings,
            self.seed,
            folder,
            replay=self._replay(),
            switch=self._switch(),
            anchor=self._anchor(encoder),
            stage=folder.name,
        )
        save_model(encoder, folder)
        counts = {"queries": len(found), "generated": len(written)}
        return {"log": log, **counts, **(self.dev.record(encoder) if self.dev else {})}

    def _anchor(self, encoder: DualEncoder) -> Anchor | None:
        if self.settings.anchor is None or self.corpus is None or self.encoded is None:
            return None
        passages, vectors = known_vectors(self.corpus, self.encoded)
        contents = {passage.docid: passage.contents for passage in passages}
        return Anchor(encoder, contents, vectors, self.settings.anchor)

    def _replay(self) -> Replay | None:
        replay, settings = self.settings.replay, self.pair_settings
        if replay is None or settings is None or self.pairs is None:
            return None
        if replay.sources:
            settings = settings.model_copy(update={"sources": replay.sources})
        size = replay.batch_size // processes().num_processes
        sources = pair_sources(self.pairs.value, settings)
        return Replay(sources, size, self.seed, mixed=self.settings.anchor is not None)

    def _switch(self) -> Switch | None:
        if not self.settings.code_switched or self.pair_settings is None or self.pairs is None:
            return None
        words = [*self.pairs.value.lexicon, *self.pairs.value.names]
        return CodeSwitcher(words, self.pair_settings.lowest_switch_rate).switch


@dataclasses.dataclass(frozen=True)
class InterpolateStudents(Stage):
    """Go back a part of the way from a trained student's weights, and measure what that gives."""

    before: Done
    after: Done
    share: float
    dev: DevSet | None

    def work(self, folder: Path) -> dict[str, Any]:
        """Interpolate, save and measure."""
        encoder = DualEncoder.from_pretrained(self.after.model)
        interpolate(DualEncoder.from_pretrained(self.before.model), encoder, self.share)
        save_model(encoder, folder)
        told = {"share": self.share, "before": self.before.name, "after": self.after.name}
        return {**told, **(self.dev.record(encoder) if self.dev else {})}


def train_student(
    context: StageContext,
    name: str,
    settings: DistillationSettings,
    student: Done,
    rows: Done,
    generated: Done | None = None,
    encoded: Done | None = None,
) -> Done:
    """Run the stages that train the student by the settings of a group of the recipe.

    Parameters
    ----------
    context
        The run and the iteration.
    name
        Of the stage.
    settings
        ``warmup`` or ``distillation``.
    student, rows, generated, encoded
        As for `TrainStudent`.
    """
    recipe, data = context.recipe, context.data
    # The last one is measured when it is exported.
    measured = bool(data.held_out) and context.number != recipe.iterations
    dev = DevSet(data.held_out, data.pool, recipe.negatives.precision) if measured else None
    paired = settings.replay is not None or settings.code_switched > 0
    train = TrainStudent(
        # What it is mixed with afterwards is another stage's business.
        settings.model_copy(update={"interpolation": 1.0}),
        recipe.seed,
        student,
        rows,
        generated,
        margin=recipe.negatives.margin if settings.kd else None,
        pair_settings=recipe.pairs if paired else None,
        pairs=data.parallel if paired else None,
        corpus=data.corpus if encoded else None,
        encoded=encoded,
        dev=dev,
    )
    trained = context.run(name, train)
    if settings.interpolation == 1.0:
        return trained
    return context.run("interpolate", InterpolateStudents(student, trained, settings.interpolation, dev))


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
