"""What Pyserini fetches from the network, and what to say where there is none."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any, NoReturn
from urllib.error import HTTPError, URLError

from qgdr_pyserini.errors import QgdrError, first_line
from qgdr_pyserini.pyserini_plugin.commands import one_line_errors

PATIENCE = 60
"""Seconds after a failure in which it is not tried again: a network that drops packets costs 10 s a try."""

ABSENT = (URLError, ConnectionError, TimeoutError)
"""What a network that is not there raises."""


class NoNetwork(QgdrError):
    """Something has to be fetched, and the network is not there."""


class Connection:
    """Remembers that the network failed a moment ago."""

    def __init__(self) -> None:
        self._failed_at: float | None = None
        self._reason = ""

    @property
    def failure(self) -> str:
        """Why it failed within the last minute; empty if it did not."""
        if self._failed_at is None or time.monotonic() - self._failed_at > PATIENCE:
            return ""
        return self._reason

    def failed(self, error: Exception) -> None:
        """Note a failure."""
        self._failed_at = time.monotonic()
        self._reason = first_line(error).removeprefix("<urlopen error ").removesuffix(">")


connection = Connection()


def refuse(message: str) -> NoReturn:
    """Raise `NoNetwork`, with the reason that the network gave."""
    raise NoNetwork(f"{message}; the network cannot be reached ({connection.failure})")


def noting_failures(fetch: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function note where the network failed it; a server's answer, be it an error, is no failure."""

    @functools.wraps(fetch)
    def noting(*args: Any, **kwargs: Any) -> Any:
        try:
            return fetch(*args, **kwargs)
        except HTTPError:
            raise
        except ABSENT as error:
            connection.failed(error)
            raise

    return noting


def naming_the_network(fetch: Callable[..., Any], what: str) -> Callable[..., Any]:
    """Make a function that fetches what a name stands for say so where the network is not there.

    Parameters
    ----------
    fetch
        Takes the name first.
    what
        What has such names.
    """

    @functools.wraps(fetch)
    def naming(*args: Any, **kwargs: Any) -> Any:
        with one_line_errors():
            try:
                return fetch(*args, **kwargs)
            except (ValueError, OSError):
                if not connection.failure:
                    raise
            name = next(iter([*args, *kwargs.values()]))
            refuse(f"{name}: no such file or folder here, and {what} of that name have to be fetched")

    return naming
