"""What training must not see, because encoders are measured on it."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path

from qgdr_pyserini.collection.hub import find_files
from qgdr_pyserini.collection.squad import Row, read_squad_file, read_squad_table
from qgdr_pyserini.collection.training_set import TrainingPassage, TrainingQuery, Translation

_FILES = ("xquad.*.json", "*.json", "*.json.gz", "*.parquet")


@dataclasses.dataclass(frozen=True)
class Exclusion:
    """Paragraphs and questions of a set in SQuAD's layout, such as XQuAD.

    Parameters
    ----------
    paragraphs, questions
        Texts in all languages, with single spaces.
    ids
        Of the questions: a translation of one has the same.
    files
        What they were read from.

    Examples
    --------
    >>> excluded = Exclusion.of([Row("56be", "Super_Bowl_50", "It was played.", "Was it played?", ())])
    >>> excluded.has_passage(TrainingPassage("p", "", "It  was played.", "squad-dev"))
    True
    >>> excluded.has_query(TrainingQuery("56be-da", "da", "Blev den spillet?", "p", "squad-dev-da"))
    True
    """

    paragraphs: frozenset[str] = frozenset()
    questions: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()
    files: tuple[Path, ...] = ()

    @classmethod
    def of(cls, rows: Iterable[Row], files: Iterable[Path] = ()) -> Exclusion:
        """Exclude the paragraphs and questions of these rows, whose whitespace is normalised."""
        known = list(rows)
        return cls(
            frozenset(row.context for row in known),
            frozenset(row.question for row in known),
            frozenset(row.qid for row in known),
            tuple(files),
        )

    @classmethod
    def read(cls, place: str | os.PathLike[str]) -> Exclusion:
        """Read the files of a folder, or one file.

        Parameters
        ----------
        place
            With ``xquad.LANG.json``, or else with any files in SQuAD's layout, JSON or the hub's Parquet.

        Raises
        ------
        QgdrError
            If there is none, or one is in another layout.
        """
        path = Path(place)
        files = [path] if path.is_file() else find_files(path, _FILES, "give XQuAD's xquad.LANG.json")
        tables = [
            read_squad_table(file) if file.suffix == ".parquet" else read_squad_file(file) for file in files
        ]
        return cls.of((row for table in tables for row in table), files)

    def has_passage(self, passage: TrainingPassage) -> bool:
        """Whether the text is one of the paragraphs."""
        return " ".join(passage.text.split()) in self.paragraphs

    def has_query(self, query: TrainingQuery) -> bool:
        """Whether it is one of the questions, or by its id the translation of one."""
        return query.query in self.questions or query.query_id.rsplit("-", 1)[0] in self.ids

    def has_pair(self, pair: Translation) -> bool:
        """Whether either side is one of the questions."""
        return pair.text in self.questions or pair.english in self.questions
