"""Whether somebody looks at what is written while something runs."""

from __future__ import annotations

import sys
from typing import Any, TextIO


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
