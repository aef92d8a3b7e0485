"""The stages that find hard negatives: ``N-encode``, and ``N-mine``, where a student or a ranker searches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.collection.tevatron import CandidateList
from qgdr_pyserini.model.dual_encoder import Vectors
from qgdr_pyserini.train.mining import encode_passages, read_vectors, retrieve
from qgdr_pyserini.train.negatives import Ranking, mine_negatives
from qgdr_pyserini.train.stage_context import StageContext, load_student
from qgdr_pyserini.train.stage_rows import digest_rows, read_rows, write_rows
from qgdr_pyserini.train.stages import Done
from qgdr_pyserini.train.training import computing_in
from qgdr_pyserini.train.training_data import Corpus

Found = tuple[Ranking, Mapping[str, Passage]]
"""Docids by query id, best first, and the passages."""

Ranker = Callable[[Sequence[CandidateList], Corpus, int, Path], Found]
"""Ranks a corpus for queries, to a depth, with a folder to work in."""


class Miner:
    """Gives an iteration's queries their candidates.

    Parameters
    ----------
    context
        The run and the iteration.
    """

    def __init__(self, context: StageContext) -> None:
        self._context = context

    def encode(self, student: Done) -> Done:
        """Keep the student's vectors of all passages, whatever queries are asked."""
        context = self._context

        def work(folder: Path) -> dict[str, Any]:
            with computing_in(context.recipe.negatives.precision):
                count = encode_passages(load_student(student), context.data.corpus, folder)
            return {"passages": count}

        values = {"holdout": context.recipe.holdout, "precision": context.recipe.negatives.precision}
        return context.run("encode", values, [student, context.data.files], work)

    def mine(
        self,
        student: Done,
        ranker: Ranker | None = None,
        *,
        given: bool = False,
        encoded: Done | None = None,
    ) -> Done:
        """Give all queries hard negatives, which the student retrieves.

        Parameters
        ----------
        student
            Retrieves.
        ranker
            Retrieves instead of the student.
        given
            Keep the negatives that the data gives.
        encoded
            The student's vectors of all passages, if they are kept.
        """
        context, settings = self._context, self._context.recipe.negatives
        rows = context.data.distilled if context.number else context.data.rows

        def work(folder: Path) -> dict[str, Any]:
            if given:
                return {"queries": write_rows(folder, rows), "given": True}
            if ranker is not None:
                found = ranker(rows, context.data.corpus, settings.depth, folder)
            else:
                found = self._search(student, rows, folder, encoded)
            return {"queries": write_rows(folder, mine_negatives(rows, *found, settings))}

        values = {"given": given, **({} if given else settings.model_dump() | context.reading.values)}
        return context.run("mine", values, [student, context.data.digest, digest_rows(rows)], work)

    def take(self, mined: Done) -> Done:
        """Take the iteration's queries from all those that its student has mined for already."""
        distilled = self._context.data.distilled

        def work(folder: Path) -> dict[str, Any]:
            wanted = {row.query_id for row in distilled}
            rows = [row for row in read_rows(mined) if row.query_id in wanted]
            return {"queries": write_rows(folder, rows)}

        return self._context.run("mine", {}, [mined, digest_rows(distilled)], work)

    def _search(
        self, student: Done, rows: Sequence[CandidateList], folder: Path, encoded: Done | None
    ) -> Found:
        context, settings = self._context, self._context.recipe.negatives
        with computing_in(settings.precision):
            return retrieve(
                load_student(student),
                context.reading.searched(rows),
                context.data.corpus,
                settings.depth,
                folder,
                encoded=encoded.folder if encoded else None,
            )


def known_vectors(context: StageContext, encoded: Done) -> tuple[list[Passage], Vectors]:
    """Read all passages, and the student's vectors of them."""
    return list(context.data.corpus()), read_vectors(encoded.folder)
