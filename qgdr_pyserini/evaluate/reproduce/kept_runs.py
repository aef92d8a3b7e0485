"""Runs as they are kept: one small file a system, the first hits of every query, short scores."""

from __future__ import annotations

import hashlib
import os
import shutil
from itertools import islice
from pathlib import Path

from qgdr_pyserini.collection.trec import Run, rank_hits, write_run
from qgdr_pyserini.files import atomic_text

_DECIMALS = (1, 2, 3, 4, 6)


def write_kept_run(path: str | os.PathLike[str], run: Run, hits: int, tag: str) -> None:
    """Write the first hits of every query; equal runs give equal bytes.

    Parameters
    ----------
    path
        Where to.
    run
        Hits in rank order.
    hits
        How many of each query to keep.
    tag
        The system's name.
    """
    kept = ((qid, _shortened(dict(islice(run[qid].items(), hits))).items()) for qid in sorted(run))
    write_run(path, kept, tag, decimals=None)


def write_kept_qrels(path: Path, qrels: str | os.PathLike[str]) -> None:
    """Write a gzipped copy of judgements."""
    with atomic_text(path) as file, Path(qrels).open(encoding="utf-8") as source:
        shutil.copyfileobj(source, file)


def checksum(file: Path) -> str:
    """Compute what ``reproduce.toml`` lists for a file."""
    with file.open("rb") as raw:
        return f"sha256:{hashlib.file_digest(raw, 'sha256').hexdigest()}"


def _shortened(hits: dict[str, float]) -> dict[str, float]:
    """Round scores as far as the order of the hits stays what it is."""
    for decimals in _DECIMALS:
        short = {docid: round(score, decimals) for docid, score in hits.items()}
        if list(rank_hits(short)) == list(hits):
            return short
    return hits
