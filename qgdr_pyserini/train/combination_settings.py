"""Settings of a teacher that is the weighted sum of several scores."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from qgdr_pyserini.settings import Settings

OWN = ("student", "teacher")
"""Scores that every iteration has."""

LEXICAL = "bm25-lexicon"
"""The score of dictionary BM25."""


class CombinationSettings(Settings):
    """Which scores are added up, and by which weights.

    A query generator and a dual encoder err on different questions; their sum is a better teacher than
    either, and the student is not drawn away from what it knows.

    Parameters
    ----------
    scores
        Names: ``student`` (that of the iteration before), ``teacher``, ``bm25-lexicon`` (BM25 of the question
        translated word by word through the training set's lexicon, which needs Pyserini), and those of
        ``others``.
    others
        Checkpoints that score as they are, by a name for each: anything that ``qgdr score --teacher`` takes.
    weights
        By name, of raw scores. Left out, they are fitted to the held-out queries that the teacher is checked
        on (`qgdr_pyserini.train.conditional_logit`), which also sets the scale: the
        ``teacher_temperature`` that goes with fitted weights is 1.
    """

    scores: list[str] = Field(default_factory=lambda: list(OWN), min_length=1)
    others: dict[str, str] = Field(default_factory=dict)
    weights: dict[str, float] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        known = [*OWN, LEXICAL, *self.others]
        if taken := next((name for name in self.others if name in (*OWN, LEXICAL, "sum")), None):
            raise ValueError(f"'others' calls a checkpoint {taken!r}, a name that is taken; choose another")
        if idle := next((name for name in self.others if name not in self.scores), None):
            raise ValueError(f"'others' has {idle!r}, which 'scores' leaves out; add it there")
        if unknown := next((name for name in self.scores if name not in known), None):
            raise ValueError(f"no score {unknown!r}; known: {', '.join(known)}; name others in 'others'")
        if len(set(self.scores)) < len(self.scores):
            raise ValueError("'scores' names one twice; name each once")
        if self.weights and set(self.weights) != set(self.scores):
            raise ValueError("'weights' needs one for each of 'scores', or none at all")
        if self.weights and (min(self.weights.values()) < 0 or not any(self.weights.values())):
            raise ValueError("'weights' must not be below 0, and not all 0")
        return self
