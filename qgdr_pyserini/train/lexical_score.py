"""Dictionary BM25 as one of the scores that a teacher is made of; what computes it is passed in."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.collection.tevatron import CandidateList
from qgdr_pyserini.train.known_scores import KnownScores
from qgdr_pyserini.train.reading import Reading
from qgdr_pyserini.train.training_data import TrainingData

LexicalScorer = Callable[[Sequence[CandidateList], Iterable[Passage]], KnownScores]
"""Scores the candidates of queries by what they share with the questions' words, given all passages."""


class Lexical:
    """Dictionary BM25, of what the teacher reads, over all passages of a run.

    Parameters
    ----------
    scorer
        What scores.
    data
        Whose passages, those of articles held out among them, tell how rare a word is.
    reading
        What is read of a question.
    """

    def __init__(self, scorer: LexicalScorer | None, data: TrainingData, reading: Reading) -> None:
        assert scorer is not None
        self._scorer, self._data, self._reading = scorer, data, reading

    @property
    def values(self) -> dict[str, Any]:
        """What the scores follow from, beside the rows."""
        return {"files": self._data.files, **self._reading.values}

    def score(self, rows: Sequence[CandidateList]) -> KnownScores:
        """Score all candidates."""
        asked = [(row, self._reading(row)) for row in rows]
        read = [dataclasses.replace(row, query=one.text, lang=one.language) for row, one in asked]
        return self._scorer(read, self._passages())

    def _passages(self) -> Iterator[Passage]:
        seen: set[str] = set()
        for passage in itertools.chain(self._data.corpus(), self._data.pool()):
            if passage.docid not in seen:
                seen.add(passage.docid)
                yield passage
