"""Scores by query: ranx's metrics, judged@k, and recall curves.

Judged@k is the share of the first k hits that has a judgement. Judgements are made of pools of what some
systems found. What another one finds, unjudged, counts as not relevant, so that scores of two systems compare
only as far as their rankings were judged alike.
"""

from __future__ import annotations

import atexit
import difflib
import logging
import os
import re
import shutil
import tempfile
import warnings
from collections.abc import Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qgdr_pyserini.collection.trec import Qrels, Run
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.evaluate.answers import answer_cut
from qgdr_pyserini.evaluate.systems import System
from qgdr_pyserini.evaluate.xor_retrieve import token_budget

DEFAULT_METRICS = ("recall@10", "ndcg@10", "mrr@10")
GRADED_METRICS = ("ndcg@20", "map", "recall@100", "recall@1000", "rbp.8", "judged@20")
"""What graded judgements, which are of pools as a rule, are measured by where nothing else is asked for."""

ANSWER_METRICS = ("r@2kt", "r@5kt", "answer-recall@20")

WITH_CUT = (
    "recall", "ndcg", "mrr", "map", "precision", "hit_rate", "hits", "f1", "dcg", "ndcg_burges", "dcg_burges",
)  # fmt: skip
WITHOUT_CUT = ("r-precision", "bpref")

_METRIC = re.compile(
    rf"(({'|'.join(WITH_CUT)})(@[1-9][0-9]{{0,8}})?|{'|'.join(WITHOUT_CUT)}|rbp\.[0-9]{{1,9}})(-l[1-9][0-9]?)?"
)
_RBP = re.compile(r"(?P<name>rbp\.[0-9]+)(-l(?P<level>[0-9]+))?")

JUDGED_DIFFERENCE = 0.1
"""Difference in judged@k above which a comparison is warned about."""

JUDGED_DEPTH = 10
"""Depth that is looked at where no judged@k is asked for."""

_JUDGED = re.compile(r"judged@([1-9][0-9]{0,8})")

CURVE_DEPTH = 1_000


def check_metrics(names: Iterable[str]) -> tuple[str, ...]:
    """Check metric names, and spell them as ranx does.

    Parameters
    ----------
    names
        As ranx takes them: ``recall@10``, ``ndcg@10``, ``mrr@10``, ``map``, ``rbp.95``; ``-l2`` behind
        a name counts grades from 2 as relevant. Beside these ``judged@10``, the share of the hits that has
        a judgement, and ``r@2kt``, ``r@5kt`` and ``answer-recall@20``, which look for answers. Upper case is
        taken as lower case.

    Returns
    -------
    tuple of str
        Without repetitions, in the order given.

    Raises
    ------
    QgdrError
        If there is no such metric.

    Examples
    --------
    >>> check_metrics(["nDCG@10", "recall@100"])
    ('ndcg@10', 'recall@100')
    """
    lowered = [name.lower() for name in names]
    for name in lowered:
        if not _METRIC.fullmatch(name) and judged_cut(name) is None and not is_answer_metric(name):
            raise QgdrError(f"unknown metric {name!r}; {_nearest(name)}")
    return tuple(dict.fromkeys(lowered))


def is_answer_metric(name: str) -> bool:
    """Tell whether a metric looks for answers in passages, not for passages judged relevant."""
    return token_budget(name) is not None or answer_cut(name) is not None


def score_queries(
    qrels: Qrels, run: Run, qids: Sequence[str], metrics: Sequence[str]
) -> dict[str, NDArray[np.float64]]:
    """Score every query of a run.

    Parameters
    ----------
    qrels
        Judgements; they hold every one of ``qids``.
    run
        Hits in rank order. A query without hits scores zero; unjudged passages are not relevant.
    qids
        The queries to score.
    metrics
        Names from `check_metrics`.

    Returns
    -------
    dict of str to array
        Scores by metric, shape (queries,), in the order of ``qids``.

    Raises
    ------
    QgdrError
        If a metric has no value for a query (bpref without passages judged not relevant).
    """
    cuts = {metric: cut for metric in metrics if (cut := judged_cut(metric))}
    scores = {metric: score_judged(qrels, run, qids, cut) for metric, cut in cuts.items()}
    rbp = {metric: match for metric in metrics if (match := _RBP.fullmatch(metric))}
    # ranx multiplies the terms of RBP by grades, which takes it above 1; it is defined on relevant or not.
    for metric, match in rbp.items():
        relevant = _relevant(qrels, qids, int(match["level"] or 1))
        scores[metric] = _score_by_ranx(relevant, run, qids, [match["name"]])[match["name"]]
    others = [metric for metric in metrics if metric not in scores]
    scores |= _score_by_ranx(qrels, run, qids, others) if others else {}
    for metric in metrics:
        _check_finite(metric, scores[metric], qids)
    return {metric: scores[metric] for metric in metrics}


def _relevant(qrels: Qrels, qids: Sequence[str], level: int) -> Qrels:
    """Grade passages 1 from a level on, 0 below."""
    return {qid: {docid: int(grade >= level) for docid, grade in qrels[qid].items()} for qid in qids}


def _score_by_ranx(
    qrels: Qrels, run: Run, qids: Sequence[str], metrics: Sequence[str]
) -> dict[str, NDArray[np.float64]]:
    ranx, typed_list = import_ranx()
    # ranx takes its own Qrels and Run, or the lists of (id, score) rows that it turns these into. Rows made
    # here keep the order of the run, so that ties stay as they were broken; their ids are small integers, not
    # rounded hashes; and no dictionaries of strings are compiled and filled, which is most of ranx's time.
    judged = typed_list([_judgement_rows(qrels[qid]) for qid in qids])
    ranked = typed_list([_hit_rows(run.get(qid, {}), qrels[qid]) for qid in qids])
    with warnings.catch_warnings():
        # While compiling, numba remarks on integer casts inside ranx.
        warnings.simplefilter("ignore")
        # Asked for one metric's scores by query, ranx fails with a KeyError; asked for it twice, it does not.
        scores: dict[str, NDArray[np.float64]] = ranx.evaluate(
            judged, ranked, [*metrics, metrics[0]], return_mean=False
        )
    return scores


def _judgement_rows(judged: Mapping[str, int]) -> NDArray[np.float64]:
    """Rows of (place in the judgements, grade), shape (judged, 2), best grade first for the ideal ranking."""
    rows = np.array(list(enumerate(judged.values())), dtype=np.float64)
    return np.ascontiguousarray(rows[np.argsort(-rows[:, 1], kind="stable")])


def _hit_rows(hits: Iterable[str], judged: Iterable[str]) -> NDArray[np.float64]:
    """Rows of (place in the judgements or -1, score from the rank), shape (hits, 2)."""
    place = {docid: number for number, docid in enumerate(judged)}
    ids = [place.get(docid, -1) for docid in hits]
    return np.column_stack((ids, np.arange(len(ids), 0, -1))).astype(np.float64)


def _check_finite(metric: str, scores: NDArray[np.float64], qids: Sequence[str]) -> None:
    undefined = np.flatnonzero(~np.isfinite(scores))
    if undefined.size:
        query = qids[undefined[0]]
        raise QgdrError(
            f"{metric} has no value for query {query!r} with its judgements; choose another metric"
        )


def import_ranx() -> tuple[ModuleType, Any]:
    """Import ranx and numba's list, also where nothing can be kept."""
    # ranx imports matplotlib, which tells of the font cache that it builds and nobody here needs.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    try:
        import ranx
    except (RuntimeError, OSError):
        # numba keeps compiled code beside the source or in the home directory, and ir_datasets makes a folder
        # there; where neither can be written, ranx cannot even be imported. A private directory helps both,
        # at the price of compiling each time.
        import numba

        directory = tempfile.mkdtemp(prefix="qgdr-ranx-")
        atexit.register(shutil.rmtree, directory, ignore_errors=True)
        numba.config.CACHE_DIR = directory  # type: ignore[attr-defined]
        os.environ["IR_DATASETS_HOME"] = directory
        import ranx
    from numba.typed import List as TypedList

    return ranx, TypedList


def _nearest(name: str) -> str:
    base, cut, rest = name.partition("@")
    near = difflib.get_close_matches(base, [*WITH_CUT, *WITHOUT_CUT, "rbp", "judged", "answer-recall"], n=3)
    if not near:
        return (
            f"there are {', '.join(f'{known}@K' for known in WITH_CUT)}, {', '.join(WITHOUT_CUT)}, rbp.95,"
            " judged@K, r@2kt, r@5kt and answer-recall@K"
        )
    spelled = [_spell(known, cut, rest) for known in near]
    return f"did you mean {' or '.join(spelled)}?"


def _spell(base: str, cut: str, rest: str) -> str:
    if base == "rbp":
        return "rbp.95"
    return base if base in WITHOUT_CUT else f"{base}@{rest if rest.isdecimal() and int(rest) else 10}"


def judged_cut(metric: str) -> int | None:
    """Tell the depth of a metric judged@k; None for any other.

    Examples
    --------
    >>> judged_cut("judged@20"), judged_cut("recall@20") is None
    (20, True)
    """
    match = _JUDGED.fullmatch(metric)
    return int(match[1]) if match else None


def score_judged(qrels: Qrels, run: Run, qids: Sequence[str], cut: int) -> NDArray[np.float64]:
    """Compute which share of the first hits has a judgement, whatever its grade.

    Parameters
    ----------
    qrels, run
        Judgements, and hits in rank order.
    qids
        The queries.
    cut
        How many hits; of fewer, all.

    Returns
    -------
    array
        By query, shape (queries,); zero without hits.

    Examples
    --------
    >>> score_judged({"q": {"a": 1, "b": 0}}, {"q": {"b": 3.0, "c": 2.0, "a": 1.0}}, ["q"], 2).tolist()
    [0.5]
    """
    shares = np.zeros(len(qids))
    for place, qid in enumerate(qids):
        if first := list(run.get(qid, {}))[:cut]:
            shares[place] = sum(docid in qrels[qid] for docid in first) / len(first)
    return shares


def uneven_judgements(
    qrels: Qrels, systems: Sequence[System], groups: Mapping[str, Sequence[str]], metrics: Sequence[str]
) -> list[str]:
    """Warn, in sentences, of languages in which systems' rankings were judged unequally.

    Parameters
    ----------
    qrels
        Judgements.
    systems
        What is compared.
    groups
        Judged queries by language.
    metrics
        Those asked for; each judged@k among them is looked at. Where there is none, `JUDGED_DEPTH`, if
        passages were judged not relevant, too: else what is judged is what is relevant, and finding more of
        it no fault.
    """
    cuts = [cut for metric in metrics if (cut := judged_cut(metric))]
    if not cuts and any(min(qrels[qid].values()) < 1 for qids in groups.values() for qid in qids):
        cuts = [JUDGED_DEPTH]
    warnings = []
    for cut in cuts:
        uneven = [
            f"{language} {_extremes(shares)}"
            for language, qids in groups.items()
            if np.ptp(list((shares := _shares(qrels, systems, qids, cut)).values())) > JUDGED_DIFFERENCE
        ]
        if uneven:
            warnings.append(
                f"Rankings were not judged alike; judged@{cut} differs by more than {JUDGED_DIFFERENCE}:"
                f" {'; '.join(uneven)}. What nobody judged counts as not relevant, so scores favour the"
                " system judged more."
            )
    return warnings


def _shares(qrels: Qrels, systems: Sequence[System], qids: Sequence[str], cut: int) -> dict[str, float]:
    return {system.name: float(score_judged(qrels, system.run, qids, cut).mean()) for system in systems}


def _extremes(shares: Mapping[str, float]) -> str:
    low, high = min(shares, key=shares.__getitem__), max(shares, key=shares.__getitem__)
    return f"({low} {shares[low]:.3f}, {high} {shares[high]:.3f})"


def recall_curve(qrels: Qrels, run: Run, qids: Sequence[str]) -> NDArray[np.float64]:
    """Compute recall at 1, 2, ..., as deep as the run goes, at most `CURVE_DEPTH`.

    Parameters
    ----------
    qrels, run
        Judgements, and hits in rank order.
    qids
        Queries to take the mean over; one without hits or relevant passages counts as zero.

    Returns
    -------
    array
        Mean recall, shape (depth,).

    Examples
    --------
    >>> recall_curve({"q": {"a": 1, "b": 1}}, {"q": {"b": 3.0, "c": 2.0, "a": 1.0}}, ["q"]).tolist()
    [0.5, 0.5, 1.0]
    """
    depth = min(CURVE_DEPTH, max((len(run[qid]) for qid in qids if qid in run), default=1))
    found = np.zeros(depth)
    for qid in qids:
        relevant = {docid for docid, grade in qrels.get(qid, {}).items() if grade > 0}
        for rank, docid in enumerate(run.get(qid, {})):
            if rank < depth and docid in relevant:
                found[rank] += 1 / len(relevant)
    return np.asarray(np.cumsum(found) / max(1, len(qids)))
