"""Queries that a stage writes, and others read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from qgdr_pyserini.collection.tevatron import CandidateList, read_candidates, write_candidates
from qgdr_pyserini.train.parts import read_parts
from qgdr_pyserini.train.stages import Done
from qgdr_pyserini.train.training import processes

MINED = "mined.jsonl.gz"
"""File of a stage that writes all queries at once; others write parts."""

CHECKED = "{}.jsonl.gz"
"""File of held-out queries in the stage that checks the teacher, by the name of the score."""


def read_rows(stage: Done) -> list[CandidateList]:
    """Read the queries that a stage has written."""
    file = stage.folder / MINED
    return list(read_candidates(file)) if file.exists() else list(read_parts(stage.folder))


def write_rows(folder: Path, rows: Sequence[CandidateList], name: str = MINED) -> int:
    """Write all queries of a stage at once, by one process; return how many."""
    state = processes()
    if state.is_main_process:
        write_candidates(folder / name, rows)
    state.wait_for_everyone()
    return len(rows)


def digest_rows(rows: Iterable[CandidateList]) -> str:
    """Digest which queries there are, and which of them have a known passage."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(f"{row.query_id}\t{len(row.positives)}\n".encode())
    return digest.hexdigest()[:16]
