"""What the import hook costs at interpreter start: wall time with it and without it, in turn.

    python bench/startup.py [--runs 40]

The rest of a start (`site`, `encodings`) is the same on both sides: ``QGDR_PLUGIN=0`` leaves the
import of the hook module and skips its installation, so the difference between the sides is small;
what the `.pth` file costs in all is in the second table, from ``-X importtime``.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import time

HEAVY = ("numpy", "torch", "pyserini", "faiss", "transformers")


def main() -> None:
    """Measure, and print two tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=40, help="starts a side")
    runs = parser.parse_args().runs
    sides: dict[str, list[float]] = {"-S": [], "QGDR_PLUGIN=0": [], "hook": []}
    for _ in range(runs):
        for side, seconds in sides.items():
            seconds.append(start(side))
    print(f"{'start':<14} {'median':>9} {'lowest':>9}   ({runs} each, in turn)")
    for side, seconds in sides.items():
        print(f"{side:<14} {statistics.median(seconds) * 1e3:>6.2f} ms {min(seconds) * 1e3:>6.2f} ms")
    print(f"\n{'imported by the hook':<42} {'cumulative':>10}")
    for name, microseconds in imported():
        print(f"{name:<42} {microseconds / 1e3:>7.2f} ms")


def start(side: str) -> float:
    """Start an interpreter that does nothing, and return how long it took, in seconds."""
    environ = {name: value for name, value in os.environ.items() if name != "QGDR_PLUGIN"}
    if side.startswith("QGDR"):
        environ["QGDR_PLUGIN"] = "0"
    command = [sys.executable, *(["-S"] if side == "-S" else []), "-c", ""]
    began = time.perf_counter()
    subprocess.run(command, env=environ, check=True)
    return time.perf_counter() - began


def imported() -> list[tuple[str, int]]:
    """Return our modules that an interpreter imports at its start, with cumulative microseconds."""
    command = [sys.executable, "-X", "importtime", "-c", "import sys; print(*sys.modules)"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert not loaded & set(HEAVY), f"a start imports {loaded & set(HEAVY)}"
    lines = re.findall(r"import time:\s+\d+ \|\s+(\d+) \|\s+(qgdr_pyserini\S*)", done.stderr)
    return [(name, int(microseconds)) for microseconds, name in lines]


if __name__ == "__main__":
    main()
