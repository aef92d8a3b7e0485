"""Hard negatives: passages that a retriever ranks high and that do not answer the query."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence

from pydantic import Field

from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.collection.tevatron import Candidate, CandidateList
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.teacher import Query, Teacher
from qgdr_pyserini.settings import Settings

Ranking = Mapping[str, Sequence[str]]

_WORD = re.compile(r"\w+")
_NO_SPAN = frozenset({"yes", "no", ""})


class NegativeSettings(Settings):
    """How many negatives are mined, and what is too good to be one.

    Parameters
    ----------
    negatives
        For each query; fewer where fewer are left. Published settings have 8 to 100 candidates.
    depth
        How far down the ranking is looked.
    margin
        Where a query has no known answers and there is a teacher: a passage that it scores above
        the best positive less this margin is taken for an answer and dropped. In units of the
        teacher's score; a query generator's differ by tenths.
    """

    negatives: int = Field(default=31, ge=1)
    depth: int = Field(default=100, ge=1)
    margin: float = Field(default=0.0, ge=0)


def mine_negatives(
    rows: Iterable[CandidateList],
    ranking: Ranking,
    corpus: Mapping[str, Passage],
    settings: NegativeSettings,
    teacher: Teacher | None = None,
) -> list[CandidateList]:
    """Replace the negatives of queries by the best ranked passages that do not answer them.

    Parameters
    ----------
    rows
        Queries with their positives.
    ranking
        Docids by query id, best first; a query that is not in it gets no negatives.
    corpus
        Passages by docid.
    settings
        How many, how deep, and the margin.
    teacher
        Scores the candidates of queries without answers; None leaves these unfiltered.

    Returns
    -------
    list of CandidateList
        In the order given, best ranked negatives first.

    Raises
    ------
    QgdrError
        If a ranked docid is not in the corpus.
    """
    found = []
    for row in rows:
        docids = ranking.get(row.query_id, ())[: settings.depth]
        passages = [_look_up(docid, corpus) for docid in docids]
        kept = without_positives(row, passages)
        answers = usable_answers(row)
        if answers:
            kept = [passage for passage in kept if not contains_answer(passage, answers)]
        elif teacher is not None:
            kept = below_positives(row, kept, teacher, settings.margin)
        negatives = tuple(Candidate(passage) for passage in kept[: settings.negatives])
        found.append(dataclasses.replace(row, negatives=negatives))
    return found


def usable_answers(row: CandidateList) -> list[str]:
    """List the answers that tell an answering passage: those that stand in one of the positives.

    Others, such as a translation of the answer or "yes", stand in no answering passage either.
    """
    spans = [answer for answer in row.answers if answer.strip().lower() not in _NO_SPAN]
    return [answer for answer in spans if any(contains_answer(c.passage, [answer]) for c in row.positives)]


def drop_likely_positives(row: CandidateList, margin: float) -> CandidateList:
    """Drop scored negatives above the best positive less the margin, where no answers tell them apart."""
    if usable_answers(row) or not row.positives:
        return row
    limit = max(_scored(item) for item in row.positives) - margin
    return dataclasses.replace(row, negatives=tuple(c for c in row.negatives if _scored(c) < limit))


def without_positives(row: CandidateList, passages: Iterable[Passage]) -> list[Passage]:
    """Leave out the query's positives, also where one stands under another docid."""
    docids = {item.passage.docid for item in row.positives}
    texts = {item.passage.contents for item in row.positives}
    return [p for p in passages if p.docid not in docids and p.contents not in texts]


def contains_answer(passage: Passage, answers: Iterable[str]) -> bool:
    """Tell whether an answer stands in a passage, as whole words in any case.

    Examples
    --------
    >>> passage = Passage("1", "Danube", "It flows for 2,850 km through ten countries.")
    >>> contains_answer(passage, ["Ten Countries"]), contains_answer(passage, ["thousand km", "count"])
    (True, False)
    """
    words = _words(passage.contents)
    return any(_words(answer) in words for answer in answers if _words(answer).strip())


def below_positives(
    row: CandidateList, passages: Sequence[Passage], teacher: Teacher, margin: float
) -> list[Passage]:
    """Keep what the teacher scores below the best positive by more than the margin."""
    if not row.positives or not passages:
        return list(passages)
    query = Query(row.query, row.lang or "en")
    positives = [item.passage for item in row.positives]
    scores = teacher.score([query], [*positives, *passages])[0]
    limit = scores[: len(positives)].max() - margin
    return [p for p, score in zip(passages, scores[len(positives) :], strict=True) if score < limit]


def _scored(item: Candidate) -> float:
    if item.score is None:
        raise QgdrError(f"passage {item.passage.docid!r} has no score; run 'qgdr score' first")
    return item.score


def _words(text: str) -> str:
    return f" {' '.join(_WORD.findall(text.lower()))} "


def _look_up(docid: str, corpus: Mapping[str, Passage]) -> Passage:
    if docid not in corpus:
        raise QgdrError(f"docid {docid!r} was retrieved but is not in the corpus; give the corpus searched")
    return corpus[docid]
