"""Long work on many queries, in parts that are kept as they are done and shared out among processes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from qgdr_pyserini.collection.tevatron import CandidateList, read_candidates, write_candidates
from qgdr_pyserini.files import atomic_text
from qgdr_pyserini.train.training import processes

_PATTERN = "part-{:05d}.jsonl.gz"
_COUNTS = "counts.json"


def write_parts(
    folder: Path,
    rows: Sequence[CandidateList],
    work: Callable[[int, Sequence[CandidateList]], Iterable[CandidateList]],
    size: int = 512,
) -> int:
    """Work on rows, a part at a time; parts that are there already are not made again.

    Parameters
    ----------
    folder
        Where the parts are kept.
    rows
        What to work on, the same in every process; process r of n does part r, r + n, …
    work
        Given a part's number and rows, returns rows; must depend on these alone.
    size
        Rows a part.

    Returns
    -------
    int
        Number of rows written, over all processes.
    """
    state = processes()
    parts = range(-(-len(rows) // size))
    for number in parts[state.process_index :: state.num_processes]:
        file = folder / _PATTERN.format(number)
        if not file.exists():
            found = list(work(number, rows[number * size : (number + 1) * size]))
            with atomic_text(folder / f"{file.name}.{_COUNTS}") as counts:
                json.dump(len(found), counts)
            if found:
                write_candidates(file, found)
            else:
                file.touch()
    state.wait_for_everyone()
    return sum(json.loads(file.read_text()) for file in folder.glob(f"*.{_COUNTS}"))


def read_parts(folder: Path) -> Iterator[CandidateList]:
    """Stream the rows of all parts, in order."""
    for file in sorted(folder.glob("part-*.jsonl.gz")):
        if file.stat().st_size:
            yield from read_candidates(file)
