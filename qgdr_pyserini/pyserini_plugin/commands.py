"""One-line errors where a Pyserini command, not the `qgdr` command, is what runs."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from qgdr_pyserini.errors import QgdrError

BAD_INPUT = 2


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn a `QgdrError` into one line on stderr and exit code 2 under ``python -m pyserini.…``.

    Anywhere else, in a notebook or in a thread that serves a request, the error is raised as it is.
    """
    try:
        yield
    except QgdrError as error:
        if threading.current_thread() is not threading.main_thread():
            raise
        if not runs_pyserini_command(sys.orig_argv):
            raise
        print(f"Error: {' '.join(str(error).split())}", file=sys.stderr)
        raise SystemExit(BAD_INPUT) from None


def runs_pyserini_command(argv: list[str]) -> bool:
    """Tell whether the interpreter was started to run a module of Pyserini.

    Parameters
    ----------
    argv
        The interpreter's whole command line, as in `sys.orig_argv`: `__main__` still says
        nothing while the packages around the module are being imported.

    Examples
    --------
    >>> runs_pyserini_command(["python", "-I", "-m", "pyserini.search.faiss", "--topics", "t.tsv"])
    True
    >>> runs_pyserini_command(["python", "my_search.py"])
    False
    """
    if "-m" not in argv[1:-1]:
        return False
    return argv[argv.index("-m", 1) + 1].split(".")[0] == "pyserini"
