"""How far a long run has come: a bar on a terminal or in a notebook, elsewhere a plain line now and then."""

from __future__ import annotations

import contextlib
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any, TextIO

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
    if shows_bars(stream):
        with _bar(unit, target) as bar:
            yield bar.update
    else:
        yield _PlainLines(unit, target, seconds, clock)


def _bar(unit: str, target: TextIO) -> Any:
    with warnings.catch_warnings():
        # Without ipywidgets, a notebook gets a bar of characters, and no word about it.
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm

        return tqdm(unit=f" {unit}", file=target)


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


def shows_bars(stream: TextIO | None = None) -> bool:
    """Tell whether a progress bar can be drawn: on a terminal, or in a notebook.

    Parameters
    ----------
    stream
        Where it would be drawn; standard error when None.
    """
    return (stream or sys.stderr).isatty() or (stream is None and in_notebook())


def in_notebook() -> bool:
    """Tell whether this process is the kernel of a notebook.

    Examples
    --------
    >>> in_notebook()
    False
    """
    # A kernel has imported IPython long before; where it is absent, nothing is imported to find that out.
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return hasattr(shell, "kernel")
