"""How runs did on single questions: where they have the passages that were judged."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from qgdr_pyserini.collection.topics import read_topics, topics_language
from qgdr_pyserini.collection.trec import Qrels, read_qrels
from qgdr_pyserini.errors import InputError, QgdrError
from qgdr_pyserini.evaluate.languages import language_of
from qgdr_pyserini.evaluate.systems import System, read_systems
from qgdr_pyserini.files import expand_pattern


@dataclass(frozen=True, slots=True)
class Topic:
    """A question of the topics, and its language as far as it is known."""

    qid: str
    language: str
    question: str


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """What one run has for a question.

    Parameters
    ----------
    name
        The run's.
    found
        How many passages it has.
    ranks
        Rank by docid of the judged passages that it has.
    first
        Rank of the first relevant one; None without any.
    top
        Its first passages, docids and scores.
    """

    name: str
    found: int
    ranks: dict[str, int]
    first: int | None
    top: list[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A question, its judgements (grade by docid), and what each run has for it."""

    topic: Topic
    judged: dict[str, int]
    runs: list[RunOutcome]


class Outcomes:
    """Questions with judgements and runs, to be looked at one by one.

    Parameters
    ----------
    topics
        The questions.
    qrels
        Judgements.
    systems
        Runs.
    """

    def __init__(self, topics: Iterable[Topic], qrels: Qrels, systems: Sequence[System]) -> None:
        self.topics = {topic.qid: topic for topic in topics}
        self.runs = [system.name for system in systems]
        self.languages = sorted({topic.language for topic in self.topics.values()})
        self._qrels = qrels
        self._systems = systems

    def find(self, text: str = "", language: str = "") -> Iterator[Topic]:
        """Yield the questions that hold a text, or have it in their id, in a language (any if empty)."""
        wanted = text.casefold()
        for topic in self.topics.values():
            if language in ("", topic.language) and (
                wanted in topic.question.casefold() or wanted in topic.qid.casefold()
            ):
                yield topic

    def outcome(self, qid: str, top: int = 10) -> Outcome | None:
        """Tell how the runs did on a question; None if there is no such question."""
        topic = self.topics.get(qid)
        if topic is None:
            return None
        judged = dict(sorted(self._qrels.get(qid, {}).items(), key=lambda item: -item[1]))
        runs = [_outcome(system.name, system.run.get(qid, {}), judged, top) for system in self._systems]
        return Outcome(topic, judged, runs)


def _outcome(name: str, hits: Mapping[str, float], judged: Mapping[str, int], top: int) -> RunOutcome:
    ranks = {docid: rank for rank, docid in enumerate(hits, 1) if docid in judged}
    first = min((rank for docid, rank in ranks.items() if judged[docid] > 0), default=None)
    return RunOutcome(name, len(hits), ranks, first, list(hits.items())[:top])


def read_outcomes(
    topics: Sequence[str], qrels: str | os.PathLike[str] | None, runs: Sequence[str]
) -> Outcomes:
    """Read the files.

    Parameters
    ----------
    topics
        Files of questions, or patterns of them.
    qrels
        Judgements; none if None.
    runs
        As `read_systems` takes them.

    Raises
    ------
    QgdrError
        If there are judgements or runs without topics, a file cannot be read, or two topics files have a
        question id in common.
    """
    if not topics and (qrels or runs):
        raise QgdrError("--qrels and --run need --topics, the questions that they are about")
    found: dict[str, Topic] = {}
    for file in (file for pattern in topics for file in expand_pattern(pattern)):
        language = topics_language(file)
        for qid, question in read_topics(file).items():
            if qid in found:
                raise InputError(f"question {qid!r} is in another topics file too; ids must differ", file)
            found[qid] = Topic(qid, language or language_of(qid) or "", question)
    return Outcomes(found.values(), read_qrels(qrels) if qrels else {}, read_systems(runs))
