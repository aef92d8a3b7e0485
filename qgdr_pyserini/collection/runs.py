"""Runs in TREC's format."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from qgdr_pyserini.files import atomic_text


def write_run(path: Path, results: Iterable[tuple[str, Iterable[tuple[str, float]]]], tag: str) -> int:
    """Write hits as a TREC run, which appears only when complete.

    Parameters
    ----------
    path
        Where to; a name ending in ``.gz`` is compressed.
    results
        Qids with their hits, docid and score, best first.
    tag
        What the run is called.

    Returns
    -------
    int
        Number of queries.
    """
    count = 0
    with atomic_text(path) as file:
        for qid, hits in results:
            count += 1
            for rank, (docid, score) in enumerate(hits, 1):
                file.write(f"{qid} Q0 {docid} {rank} {score:.6f} {tag}\n")
    return count
