"""What the stages of one iteration have in common."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.train.reading import Reading
from qgdr_pyserini.train.recipe_settings import Recipe
from qgdr_pyserini.train.stages import Done, Stages
from qgdr_pyserini.train.training import processes
from qgdr_pyserini.train.training_data import TrainingData


@dataclasses.dataclass(frozen=True, slots=True)
class StageContext:
    """The run that stages belong to, and the number of their iteration.

    Parameters
    ----------
    number
        Of the iteration; 0 comes before there is a teacher.
    recipe, data, stages
        Of the run.
    reading
        What all that searches or scores reads of a question.
    """

    number: int
    recipe: Recipe
    data: TrainingData
    stages: Stages
    reading: Reading

    def named(self, name: str) -> str:
        """Tell what a stage is called in full, ``NUMBER-NAME``."""
        return f"{self.number}-{name}"

    def run(
        self,
        name: str,
        values: dict[str, Any],
        after: Sequence[Done | str],
        work: Callable[[Path], dict[str, Any]],
    ) -> Done:
        """Run a stage of this iteration unless it is complete; see `Stages.run`."""
        return self.stages.run(self.named(name), values, after, work)


def load_student(student: Done) -> DualEncoder:
    """Load the student that a stage has made onto this process's device."""
    return DualEncoder.from_pretrained(student.model, str(processes().device))
