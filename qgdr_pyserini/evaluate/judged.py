"""Judged@k: how much of a ranking anyone has looked at.

Judgements are made of what some systems found. What another one finds and nobody judged counts as not
relevant, so that scores of two systems compare only as far as their rankings were judged alike.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from qgdr_pyserini.collection.trec import Qrels, Run
from qgdr_pyserini.evaluate.systems import System

TOLERATED = 0.1
"""Difference in judged@k above which a comparison is warned about."""

DEPTH = 10
"""Depth that is looked at where no judged@k is asked for."""

_NAME = re.compile(r"judged@([1-9][0-9]{0,8})")


def judged_cut(metric: str) -> int | None:
    """Tell the depth of a metric judged@k; None for any other.

    Examples
    --------
    >>> judged_cut("judged@20"), judged_cut("recall@20") is None
    (20, True)
    """
    match = _NAME.fullmatch(metric)
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
        Those asked for; each judged@k among them is looked at. Where there is none, `DEPTH`, if passages were
        judged not relevant, too: else what is judged is what is relevant, and finding more of it no fault.
    """
    cuts = [cut for metric in metrics if (cut := judged_cut(metric))]
    if not cuts and any(min(qrels[qid].values()) < 1 for qids in groups.values() for qid in qids):
        cuts = [DEPTH]
    warnings = []
    for cut in cuts:
        uneven = [
            f"{language} {_extremes(shares)}"
            for language, qids in groups.items()
            if np.ptp(list((shares := _shares(qrels, systems, qids, cut)).values())) > TOLERATED
        ]
        if uneven:
            warnings.append(
                f"Rankings were not judged alike; judged@{cut} differs by more than {TOLERATED}:"
                f" {'; '.join(uneven)}. What nobody judged counts as not relevant, so scores favour the"
                " system judged more."
            )
    return warnings


def _shares(qrels: Qrels, systems: Sequence[System], qids: Sequence[str], cut: int) -> dict[str, float]:
    return {system.name: float(score_judged(qrels, system.run, qids, cut).mean()) for system in systems}


def _extremes(shares: Mapping[str, float]) -> str:
    low, high = min(shares, key=shares.__getitem__), max(shares, key=shares.__getitem__)
    return f"({low} {shares[low]:.3f}, {high} {shares[high]:.3f})"
