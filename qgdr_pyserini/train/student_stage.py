"""The stages that make a student: ``0-warmup`` and ``N-distil``, and ``N-interpolate`` after either."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qgdr_pyserini.collection.tevatron import CandidateList
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.train.anchor import Anchor
from qgdr_pyserini.train.code_switching import CodeSwitcher
from qgdr_pyserini.train.distillation_data import Replay, Switch
from qgdr_pyserini.train.distillation_settings import DistillationSettings
from qgdr_pyserini.train.distillation_stage import distil
from qgdr_pyserini.train.interpolation import interpolate
from qgdr_pyserini.train.measuring import CUTOFF, recall_by_language
from qgdr_pyserini.train.mining_stage import known_vectors
from qgdr_pyserini.train.negatives import drop_likely_positives
from qgdr_pyserini.train.pairs import pair_sources
from qgdr_pyserini.train.stage_context import StageContext
from qgdr_pyserini.train.stage_rows import read_rows
from qgdr_pyserini.train.stages import Done
from qgdr_pyserini.train.teacher_stages import save_model
from qgdr_pyserini.train.training import computing_in, processes


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
