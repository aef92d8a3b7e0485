"""What the import hook costs at interpreter start: processor time with it and without it, in turn.

    python bench/startup.py [--runs 40]

``QGDR_PLUGIN=0`` leaves the import of the hook's module and skips its installation, so what the `.pth`
file costs in all is in the second table, from ``-X importtime``.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import statistics
import subprocess
import sys

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
    print(f"{'start':<14} {'median':>9} {'lowest':>9}   (processor time, {runs} each, in turn)")
    for side, seconds in sides.items():
        print(f"{side:<14} {statistics.median(seconds) * 1e3:>6.2f} ms {min(seconds) * 1e3:>6.2f} ms")
    print(f"\n{'imported by the hook':<42} {'lowest':>10}")
    for name, microseconds in imported(runs):
        print(f"{name:<42} {microseconds / 1e3:>7.2f} ms")


def start(side: str) -> float:
    """Start an interpreter that does nothing, and return its processor time, in seconds."""
    environ = {name: value for name, value in os.environ.items() if name != "QGDR_PLUGIN"}
    if side.startswith("QGDR"):
        environ["QGDR_PLUGIN"] = "0"
    command = [sys.executable, *(["-S"] if side == "-S" else []), "-c", ""]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=environ, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def imported(runs: int) -> list[tuple[str, int]]:
    """Return our modules that an interpreter imports at its start, with their lowest microseconds.

    The time of a module includes that of the packages around it where they are imported for it.
    """
    lowest: dict[str, int] = {}
    for _ in range(runs):
        command = [sys.executable, "-X", "importtime", "-c", "import sys; print(*sys.modules)"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        loaded = {name.split(".")[0] for name in done.stdout.split()}
        assert not loaded & set(HEAVY), f"a start imports {loaded & set(HEAVY)}"
        for micros, name in re.findall(r"import time:\s+\d+ \|\s+(\d+) \|\s+(qgdr_pyserini\S*)", done.stderr):
            lowest[name] = min(int(micros), lowest.get(name, int(micros)))
    return list(lowest.items())


if __name__ == "__main__":
    main()
