"""Queries that a stage has written."""

from __future__ import annotations

from qgdr_pyserini.collection.tevatron import CandidateList, read_candidates
from qgdr_pyserini.train.parts import read_parts
from qgdr_pyserini.train.stages import Done

MINED = "mined.jsonl.gz"
"""File of a stage that writes all queries at once; others write parts."""


def read_rows(stage: Done) -> list[CandidateList]:
    """Read the queries that a stage has written."""
    file = stage.folder / MINED
    return list(read_candidates(file)) if file.exists() else list(read_parts(stage.folder))
