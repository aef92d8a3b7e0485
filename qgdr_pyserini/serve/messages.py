"""What the REST endpoint takes and gives; the OpenAPI document is made from these."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from qgdr_pyserini.ask.passages import Mode, RankedPassage


class Found(BaseModel):
    """Passages for a question, best first. Marks count characters (code points), not UTF-16 units."""

    question: str
    language: str = Field(description="ISO 639-1, told by the letters where the request does not say")
    mode: Mode
    milliseconds: float
    hits: list[RankedPassage]


class Texts(BaseModel):
    """Texts to encode."""

    texts: list[str] = Field(min_length=1)
    role: Literal["query", "passage"] = "query"


class Encoded(BaseModel):
    """Their vectors, in their order."""

    encoder: str
    dimension: int
    vectors: list[list[float]]


class Health(BaseModel):
    """What is served."""

    status: Literal["ok"] = "ok"
    version: str
    index: str
    encoder: str
    dimension: int
    passages: int
    modes: list[Mode]
    topics: int
    languages: list[str]
    runs: list[str]
    waiting: int = Field(description="Questions that are not being computed yet")


class TopicRow(BaseModel):
    """A question of the topics."""

    qid: str
    language: str
    question: str


class Topics(BaseModel):
    """Questions of the topics, and how many there are beside them."""

    total: int
    topics: list[TopicRow]


class Judged(BaseModel):
    """A judged passage, with its rank in every run (null where it was not found)."""

    docid: str
    grade: int
    title: str
    text: str
    ranks: dict[str, int | None]


class RunHit(BaseModel):
    """A passage that a run has for a question; the grade is null where it was not judged."""

    rank: int
    docid: str
    score: float
    title: str
    grade: int | None


class RunRow(BaseModel):
    """What a run has for a question."""

    name: str
    found: int
    first: int | None = Field(description="Rank of the first relevant passage")
    top: list[RunHit]


class TopicOutcome(BaseModel):
    """How the runs did on a question."""

    qid: str
    language: str
    question: str
    judged: list[Judged]
    runs: list[RunRow]


class Problem(BaseModel):
    """Why there is no answer."""

    detail: str
