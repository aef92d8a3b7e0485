"""What a function of the API says while it works: bars, and lines on standard error."""

from __future__ import annotations

import contextlib
import sys

from qgdr_pyserini.progress import Advance, progress


def tell(line: str) -> None:
    """Print a line about what was decided on the caller's behalf."""
    print(line, file=sys.stderr)


def bar(unit: str, shown: bool) -> contextlib.AbstractContextManager[Advance]:
    """Show progress as `progress` does, or none."""
    return progress(unit) if shown else contextlib.nullcontext(_nothing)


def _nothing(count: int) -> None:
    pass
