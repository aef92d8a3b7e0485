"""Languages of passages: how fair a system is to each, and what it finds in each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from qgdr_pyserini.collection.trec import Qrels, Run
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.evaluate.languages import UNKNOWN
from qgdr_pyserini.evaluate.metrics import score_queries
from qgdr_pyserini.evaluate.rank_fairness import awrf, peer

CUT = 10
"""Hits that fairness is measured on."""

MATRIX_METRICS = ("recall@10", "recall@1")

MEAN = "mean"
"""The row behind the languages of questions."""

Languages = Mapping[str, str]
"""Language by docid."""

Matrix = dict[str, dict[str, float]]
"""Score by language of passage by language of question."""


@dataclass(frozen=True)
class Fairness:
    """How fair a system is to the passages' languages, for the questions of one language.

    Attributes
    ----------
    queries
        How many have hits; the others are left out.
    own
        Share of the first `CUT` hits that is in the question's own language; mean over the questions.
    pool
        Share of all passages that is in it: what a system blind to languages would give.
    awrf
        Mean attention-weighted rank fairness of the first `CUT` hits, against the shares of the pool.
    peer
        Mean probability of equal expected rank; None where no question can tell.
    """

    queries: int
    own: float
    pool: float
    awrf: float
    peer: float | None


@dataclass(frozen=True)
class PassageLanguages:
    """What a report tells of the languages of passages.

    Attributes
    ----------
    pool
        Share of the passages by language.
    fairness
        By system, by language of question and `MEAN`.
    matrices
        By system, by metric.
    alone
        Systems whose matrix is of searches in one language's passages alone; that of the others is of the
        one pool, as far as hits go.
    """

    pool: dict[str, float]
    fairness: dict[str, dict[str, Fairness]]
    matrices: dict[str, dict[str, Matrix]]
    alone: tuple[str, ...] = ()


def pool_shares(languages: Languages) -> dict[str, float]:
    """Tell each language's share of the passages, in alphabetical order.

    Examples
    --------
    >>> pool_shares({"a": "zh", "b": "de", "c": "de", "d": "de"})
    {'de': 0.75, 'zh': 0.25}
    """
    counts = Counter(languages.values())
    return {language: counts[language] / len(languages) for language in sorted(counts)}


def score_fairness(
    run: Run, qrels: Qrels, groups: Mapping[str, Sequence[str]], languages: Languages
) -> dict[str, Fairness]:
    """Score how fair a run is.

    Parameters
    ----------
    run
        Hits in rank order, of a search in all passages.
    qrels
        Judgements.
    groups
        Queries by language.
    languages
        Language by docid, of all passages.

    Returns
    -------
    dict of str to Fairness
        By language of question that has hits, then `MEAN` over these.

    Raises
    ------
    QgdrError
        If the language of a passage is not known.
    """
    pool = pool_shares(languages)
    refuse_unknown(run, languages)
    refuse_unknown(qrels, languages)
    found: dict[str, Fairness] = {}
    for language, qids in groups.items():
        if language != UNKNOWN and (asked := [qid for qid in qids if run.get(qid)]):
            found[language] = _fairness(language, asked, run, qrels, languages, pool)
    return found | ({MEAN: _mean(list(found.values()))} if found else {})


def _fairness(
    asked_in: str,
    qids: Sequence[str],
    run: Run,
    qrels: Qrels,
    languages: Languages,
    pool: Mapping[str, float],
) -> Fairness:
    own, rank_fairness, probabilities = [], [], []
    for qid in qids:
        hits = list(run[qid])[:CUT]
        ranked = [languages[docid] for docid in hits]
        own.append(np.mean([same_language(language, asked_in) for language in ranked]))
        rank_fairness.append(awrf(ranked, pool))
        probability = peer(hits, qrels.get(qid, {}), languages, CUT)
        probabilities += [] if probability is None else [probability]
    share = sum(part for language, part in pool.items() if same_language(language, asked_in))
    return Fairness(
        len(qids),
        float(np.mean(own)),
        float(share),
        float(np.mean(rank_fairness)),
        float(np.mean(probabilities)) if probabilities else None,
    )


def _mean(rows: Sequence[Fairness]) -> Fairness:
    known = [row.peer for row in rows if row.peer is not None]
    return Fairness(
        sum(row.queries for row in rows),
        float(np.mean([row.own for row in rows])),
        float(np.mean([row.pool for row in rows])),
        float(np.mean([row.awrf for row in rows])),
        float(np.mean(known)) if known else None,
    )


def same_language(one: str, other: str) -> bool:
    """Tell whether two codes are of one language, regions aside.

    Examples
    --------
    >>> same_language("zh-cn", "zh"), same_language("de", "da")
    (True, False)
    """
    return _base(one) == _base(other)


def _base(language: str) -> str:
    return language.replace("_", "-").split("-")[0].lower()


def refuse_unknown(listed: Mapping[str, Iterable[str]], languages: Languages) -> None:
    """Raise `QgdrError` where the language of a passage that a run or judgements list is not known."""
    for qid, docids in listed.items():
        for docid in docids:
            if docid not in languages:
                raise QgdrError(
                    f"--passage-languages: has no passage {docid!r}, which is listed for query {qid!r}; "
                    "give the corpus searched"
                )


def within(listed: Mapping[str, Mapping[str, float]], languages: Languages, language: str) -> Run:
    """Keep the passages of one language, and the queries that have any.

    Examples
    --------
    >>> within({"q": {"a": 2.0, "b": 1.0}, "r": {"a": 1.0}}, {"a": "de", "b": "zh"}, "zh")
    {'q': {'b': 1.0}}
    """
    kept = {
        qid: {docid: value for docid, value in row.items() if languages.get(docid) == language}
        for qid, row in listed.items()
    }
    return {qid: row for qid, row in kept.items() if row}


def judged_within(qrels: Qrels, languages: Languages, language: str) -> Qrels:
    """Keep the judgements of the passages of one language, and the queries that have any."""
    kept = within(qrels, languages, language)
    return {qid: {docid: int(grade) for docid, grade in row.items()} for qid, row in kept.items()}


def score_matrices(
    run: Run,
    qrels: Qrels,
    groups: Mapping[str, Sequence[str]],
    languages: Languages,
    metrics: Sequence[str] = MATRIX_METRICS,
) -> dict[str, Matrix]:
    """Score a run for each language of question in the passages of each language.

    The passages of a language are ranked among each other: those of others are passed over, in the run and
    in the judgements.

    Parameters
    ----------
    run, qrels, groups, languages
        As for `score_fairness`.
    metrics
        Names from `check_metrics` that count judged passages.

    Returns
    -------
    dict of str to dict
        Matrix by metric. A cell is the mean over the questions that have a judged passage in that language,
        zero where the run has no hit in it; without such a question there is none.
    """
    matrices: dict[str, Matrix] = {metric: {language: {} for language in groups} for metric in metrics}
    for language in pool_shares(languages):
        judged, hits = judged_within(qrels, languages, language), within(run, languages, language)
        asked = [qid for qids in groups.values() for qid in qids if qid in judged]
        scores = score_queries(judged, hits, asked, metrics) if asked else {}
        for metric, values in scores.items():
            by_query = dict(zip(asked, values, strict=True))
            for question_language, qids in groups.items():
                own = [by_query[qid] for qid in qids if qid in by_query]
                if own:
                    matrices[metric][question_language][language] = float(np.mean(own))
    return matrices
