"""Errors that a user can cause, each shown as one line."""

from __future__ import annotations

import os


class QgdrError(ValueError):
    """Something the user can put right: wrong input, wrong option, missing file.

    The command line prints the message as one line and exits with 2.
    """


class InputError(QgdrError):
    """A file whose content cannot be used.

    Parameters
    ----------
    message
        What is wrong and what to do about it.
    path
        The file.
    line
        Its line, counted from 1, where one line is to blame.

    Examples
    --------
    >>> print(InputError("empty id; give every passage one", "corpus.jsonl", 3))
    corpus.jsonl:3: empty id; give every passage one
    """

    def __init__(self, message: str, path: str | os.PathLike[str], line: int | None = None) -> None:
        where = os.fspath(path) if line is None else f"{os.fspath(path)}:{line}"
        super().__init__(f"{where}: {message}")
        self.path = os.fspath(path)
        self.line = line


def first_line(error: Exception) -> str:
    """Shorten another library's error to what fits into one of ours."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
