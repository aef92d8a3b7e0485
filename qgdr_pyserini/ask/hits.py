"""What a search finds, with the text of what was found."""

from __future__ import annotations

import dataclasses
from typing import Literal, NamedTuple, get_args

from qgdr_pyserini.collection.corpus import Passage

Mode = Literal["dense", "bm25", "hybrid"]
"""How to search: by vectors, by words, or by both, their scores added up."""

MODES: tuple[Mode, ...] = get_args(Mode)

Span = tuple[int, int]
"""Where something begins and ends in a text, in characters."""


class Hit(NamedTuple):
    """A passage and its score."""

    passage: Passage
    score: float


@dataclasses.dataclass(frozen=True, slots=True)
class RankedPassage:
    """A passage in its place.

    Parameters
    ----------
    rank
        From 1.
    docid, score, title, text
        The passage and what it scored.
    title_marks, text_marks
        Where words of the question stand in title and text.
    """

    rank: int
    docid: str
    score: float
    title: str
    text: str
    title_marks: list[Span]
    text_marks: list[Span]


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """A question and what one system found.

    Parameters
    ----------
    question
        As it was asked.
    language
        Its language, ISO 639-1.
    system
        What searched: a mode, or a name.
    hits
        Best first.
    """

    question: str
    language: str
    system: str
    hits: list[RankedPassage]
