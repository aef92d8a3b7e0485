"""Per-query analysis: how runs did on single questions, and on which they differ most."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from qgdr_pyserini.collection.corpus import read_corpus
from qgdr_pyserini.collection.topics import read_topics, topics_language
from qgdr_pyserini.collection.trec import Qrels, read_qrels, read_run
from qgdr_pyserini.errors import InputError, QgdrError
from qgdr_pyserini.evaluate.languages import language_of
from qgdr_pyserini.evaluate.results import Comparison
from qgdr_pyserini.evaluate.systems import System, read_systems
from qgdr_pyserini.files import expand_pattern

SHOWN_QUERIES = 5

SHOWN_PASSAGES = 2

_LONGEST = 400


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


@dataclass(frozen=True)
class ShownPassage:
    """A passage as a reader sees it: rank, id, title, the text's beginning, and whether it is relevant."""

    rank: int
    docid: str
    title: str
    text: str
    relevant: bool


@dataclass(frozen=True)
class Change:
    """A query, its language, question and two scores, and what either system ranks first."""

    qid: str
    language: str
    question: str
    before: float
    after: float
    baseline: tuple[ShownPassage, ...]
    system: tuple[ShownPassage, ...]


def largest_changes(
    comparison: Comparison,
    metric: str,
    name: str,
    systems: Sequence[System],
    qrels: Qrels,
    questions: Mapping[str, str],
    passages: Mapping[str, tuple[str, str]],
) -> tuple[list[Change], list[Change]]:
    """Find the queries that gain and lose most; equal changes from all languages in turn.

    Parameters
    ----------
    comparison, metric, name
        Under which metric which system is compared with the baseline.
    systems
        All systems.
    qrels
        Judgements.
    questions
        Question by qid, where known.
    passages
        Title and text by docid, where known.

    Returns
    -------
    tuple of list of Change
        At most `SHOWN_QUERIES` gains and as many losses.
    """
    scores = comparison.by_query[metric]
    runs = {system.name: system.run for system in systems}
    baseline = comparison.baseline or ""
    differences = scores.systems[name] - scores.systems[baseline]
    # Of equal changes, one from each language before a second from any.
    seen: Counter[str] = Counter()
    turn = []
    for language in scores.languages:
        turn.append(seen[language])
        seen[language] += 1
    order = sorted(range(len(turn)), key=lambda place: (-differences[place], turn[place]))
    rising = sorted(range(len(turn)), key=lambda place: (differences[place], turn[place]))

    def change(place: int) -> Change:
        qid = scores.qids[place]
        shown = [_ranked(runs[one].get(qid, {}), qrels.get(qid, {}), passages) for one in (baseline, name)]
        before, after = (float(scores.systems[one][place]) for one in (baseline, name))
        return Change(qid, scores.languages[place], questions.get(qid, ""), before, after, *shown)

    gains = [change(place) for place in order[:SHOWN_QUERIES] if differences[place] > 0]
    losses = [change(place) for place in rising[:SHOWN_QUERIES] if differences[place] < 0]
    return gains, losses


def _ranked(
    hits: Iterable[str], judged: Mapping[str, int], passages: Mapping[str, tuple[str, str]]
) -> tuple[ShownPassage, ...]:
    """Show the first passages, and the first relevant one if it comes later."""
    shown = []
    for rank, docid in enumerate(hits, 1):
        relevant = judged.get(docid, 0) > 0
        if rank <= SHOWN_PASSAGES or relevant:
            title, text = passages.get(docid, ("", ""))
            shown.append(ShownPassage(rank, docid, title, _shorten(text), relevant))
        if rank >= SHOWN_PASSAGES and any(passage.relevant for passage in shown):
            break
    return tuple(shown)


def _shorten(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST].rsplit(" ", 1)[0] + " …"


class Found(NamedTuple):
    """A question and the relevant passage that a run ranks first for it."""

    question: str
    title: str
    text: str


def found_first(
    run: str | os.PathLike[str],
    qrels: str | os.PathLike[str],
    corpus: str | os.PathLike[str],
    topics: Iterable[str | os.PathLike[str]],
) -> Iterator[Found]:
    """Yield, for each topics file, its first question whose first passage in the run is relevant.

    Parameters
    ----------
    run, qrels
        TREC files.
    corpus
        What the run searched.
    topics
        Topics files whose queries are in the run; one without such a question is passed over.
    """
    hits, judged = read_run(run), read_qrels(qrels)
    passages = {passage.docid: passage for passage in read_corpus(corpus)}
    for file in topics:
        for qid, question in read_topics(file).items():
            best = next(iter(hits.get(qid, {})), "")
            if judged.get(qid, {}).get(best, 0) > 0:
                yield Found(question, passages[best].title, passages[best].text)
                break
