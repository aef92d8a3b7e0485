"""Recall at every depth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qgdr_pyserini.collection.trec import Qrels, Run

DEEPEST = 1_000


def recall_curve(qrels: Qrels, run: Run, qids: Sequence[str]) -> NDArray[np.float64]:
    """Compute recall at 1, 2, ..., as deep as the run goes, at most `DEEPEST`.

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
    depth = min(DEEPEST, max((len(run[qid]) for qid in qids if qid in run), default=1))
    found = np.zeros(depth)
    for qid in qids:
        relevant = {docid for docid, grade in qrels.get(qid, {}).items() if grade > 0}
        for rank, docid in enumerate(run.get(qid, {})):
            if rank < depth and docid in relevant:
                found[rank] += 1 / len(relevant)
    return np.asarray(np.cumsum(found) / max(1, len(qids)))
