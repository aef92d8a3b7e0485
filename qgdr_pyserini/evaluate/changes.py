"""The queries on which a system gains or loses most against the baseline, to be read by people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from qgdr_pyserini.collection.trec import Qrels
from qgdr_pyserini.evaluate.results import Comparison
from qgdr_pyserini.evaluate.systems import System

SHOWN_QUERIES = 5
SHOWN_PASSAGES = 2
_LONGEST = 400


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
