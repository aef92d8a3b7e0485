"""What a teacher is: anything that scores how well passages fit a query, with its settings beside it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.files import atomic_text, read_json
from qgdr_pyserini.settings import Settings

SETTINGS_NAME = "qgdr_teacher.json"


class TeacherSettings(Settings):
    """Settings of one kind of teacher, kept in the folder of its weights."""

    def save(self, folder: Path) -> None:
        """Write the settings to ``folder/qgdr_teacher.json``."""
        with atomic_text(folder / SETTINGS_NAME) as file:
            file.write(self.model_dump_json(indent=2) + "\n")

    @classmethod
    def saved_or_default(cls, folder: str) -> Self:
        """Read what `save` wrote; the defaults where nothing is saved, as for a checkpoint from a hub."""
        path = Path(folder) / SETTINGS_NAME
        if not folder or not path.is_file():
            return cls()
        return cls.checked(read_json(path), path)


Scores = npt.NDArray[np.float32]


class Query(NamedTuple):
    """A query and the ISO code of its language, which some teachers name in a prompt."""

    text: str
    language: str = "en"


class Pair(NamedTuple):
    """Places of a query and of a passage in the lists that they come in."""

    query: int
    passage: int


class Teacher(ABC):
    """Scores queries against passages; higher means more relevant, comparable within one query.

    A new teacher (a large language model behind an API, say) is one class with `score_pairs`.

    Examples
    --------
    >>> class SharedLetters(Teacher):
    ...     def score_pairs(self, queries, passages, pairs):
    ...         letters = [
    ...             len(set(queries[pair.query].text) & set(passages[pair.passage].text)) for pair in pairs
    ...         ]
    ...         return np.array(letters, dtype=np.float32)
    >>> passages = [Passage("1", "", "abc"), Passage("2", "", "xyz")]
    >>> SharedLetters().score([Query("cab"), Query("zoo")], passages)
    array([[3., 0.],
           [0., 1.]], dtype=float32)
    """

    @abstractmethod
    def score_pairs(
        self, queries: Sequence[Query], passages: Sequence[Passage], pairs: Sequence[Pair]
    ) -> Scores:
        """Score some pairs, in whatever order and batches suit the teacher.

        Parameters
        ----------
        queries, passages
            What the pairs point to.
        pairs
            What to score.

        Returns
        -------
        numpy.ndarray
            float32, ``(pairs,)``, in the order given.
        """

    def score(self, queries: Sequence[Query], passages: Sequence[Passage]) -> Scores:
        """Score every query against every passage: float32, ``(queries, passages)``."""
        pairs = [Pair(q, p) for q in range(len(queries)) for p in range(len(passages))]
        return self.score_pairs(queries, passages, pairs).reshape(len(queries), len(passages))

    def score_candidates(
        self, queries: Sequence[Query], passages: Sequence[Passage], candidates: Sequence[Sequence[int]]
    ) -> list[Scores]:
        """Score each query against its own list of places in ``passages``; one array a query."""
        pairs = [Pair(q, p) for q, own in enumerate(candidates) for p in own]
        ends = np.cumsum([len(own) for own in candidates])
        return np.split(self.score_pairs(queries, passages, pairs), ends[:-1]) if len(candidates) else []
