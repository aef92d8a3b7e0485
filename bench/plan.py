"""Compare what ``qgdr plan`` says of each kind of index with what making it takes.

    python bench/plan.py --passages 300000 --dimension 64

Makes each from the same random vectors in a process of its own. Columns: the size of the file ``index`` in
MB, and the memory that making it took at its highest beside what the process had before (anonymous memory, so
the vectors, which are mapped from a file, do not count); each as planned and as found. The plan of memory is
an estimate from above.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from qgdr_pyserini.encode.faiss_access import BLOCK
from qgdr_pyserini.encode.plan import PlannedIndex, plan_indexes


def main() -> None:
    """Make every index, and print the table; or, for one kind, make that one and print its sizes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--passages", type=int, default=100_000)
    parser.add_argument("--dimension", type=int, default=64)
    parser.add_argument("--kind", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.kind:
        print(*make(arguments.kind, arguments.folder, arguments.passages, arguments.dimension))
        return
    with tempfile.TemporaryDirectory() as folder:
        draw(Path(folder), arguments.passages, arguments.dimension)
        print(f"{arguments.passages:,} vectors of dimension {arguments.dimension}; MB")
        print("  kind   index planned   found   memory planned   found")
        for planned in plan_indexes(arguments.passages, arguments.dimension, 8):
            print(row(planned, Path(folder), arguments), flush=True)


def draw(folder: Path, passages: int, dimension: int) -> None:
    """Write random vectors ``(passages, dimension)`` to a file."""
    random = np.random.default_rng(0)
    with (folder / "vectors").open("wb") as file:
        for start in range(0, passages, BLOCK):
            file.write(random.standard_normal((min(BLOCK, passages - start), dimension), np.float32).data)


def row(planned: PlannedIndex, folder: Path, arguments: argparse.Namespace) -> str:
    """Make an index in another process, and set what it took beside the plan."""
    sizes = ("--passages", str(arguments.passages), "--dimension", str(arguments.dimension))
    command = [sys.executable, __file__, *sizes, "--kind", planned.index_type, "--folder", str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    size, memory = map(int, done.stdout.split())
    values = (planned.index, size, planned.building, memory)
    a, b, c, d = (value / 1e6 for value in values)
    return f"{planned.index_type:>6}   {a:13,.1f} {b:7,.1f}   {c:14,.1f} {d:7,.1f}"


def make(kind: str, folder: Path, passages: int, dimension: int) -> tuple[int, int]:
    """Make one index; give its size and the memory it took, in bytes."""
    from qgdr_pyserini.encode.faiss_types import IndexType

    vectors = np.memmap(folder / "vectors", np.float32, "r", shape=(passages, dimension))
    before, peak, done = anonymous(), 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.is_set():
            peak = max(peak, anonymous())
            time.sleep(0.002)

    watcher = threading.Thread(target=watch)
    watcher.start()
    IndexType(kind).write(vectors, folder / "index")
    done.set()
    watcher.join()
    return (folder / "index").stat().st_size, peak - before


def anonymous() -> int:
    """Tell how much anonymous memory this process has, in bytes."""
    status = Path("/proc/self/status").read_text()
    found = re.search(r"RssAnon:\s+(\d+)", status)
    assert found is not None
    return int(found[1]) * 1024


if __name__ == "__main__":
    main()
