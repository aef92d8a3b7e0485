"""How far a long run has come: a bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import TextIO

from tqdm import tqdm

Advance = Callable[[int], object]
"""Called with how many were done since the last call."""


@contextlib.contextmanager
def progress(
    unit: str,
    stream: TextIO | None = None,
    seconds: float = 10.0,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Advance]:
    """Show progress while the block runs.

    Parameters
    ----------
    unit
        What is counted.
    stream
        Where to; standard error when None.
    seconds
        Time between plain lines.
    clock
        Tells the time in seconds.

    Yields
    ------
    callable
        To be called with the number done since the last call.
    """
    target = stream or sys.stderr
    if target.isatty():
        with tqdm(unit=f" {unit}", file=target) as bar:
            yield bar.update
    else:
        yield _PlainLines(unit, target, seconds, clock)


class _PlainLines:
    def __init__(self, unit: str, stream: TextIO, seconds: float, clock: Callable[[], float]) -> None:
        self._unit, self._stream, self._seconds, self._clock = unit, stream, seconds, clock
        self._started = self._shown = clock()
        self._done = 0

    def __call__(self, count: int) -> None:
        self._done += count
        now = self._clock()
        if now - self._shown >= self._seconds:
            rate = self._done / (now - self._started)
            print(f"{self._done:,} {self._unit}, {rate:,.1f}/s", file=self._stream, flush=True)
            self._shown = now
