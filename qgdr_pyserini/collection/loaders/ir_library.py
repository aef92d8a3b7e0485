"""Data sets of the library `ir_datasets`: which there are, and their records one at a time.

MacAvaney et al. (2021), "Simplified Data Wrangling with ir_datasets".
"""

from __future__ import annotations

import contextlib
import difflib
import io
import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from qgdr_pyserini.collection.ir_access import owner_instructions
from qgdr_pyserini.errors import QgdrError

PREFIX = "ir_datasets:"
"""Before a data set's name."""

Kind = Literal["docs", "queries", "qrels"]

_WORDS: dict[Kind, str] = {"docs": "documents", "queries": "queries", "qrels": "judgements (qrels)"}
_SHOWN = 4


@dataclass(frozen=True)
class IrDataset:
    """A data set with documents, queries and judgements.

    Attributes
    ----------
    name
        As the library has it, ``hc4/zh/test``.
    handle
        The library's object.
    """

    name: str
    handle: Any

    @property
    def page(self) -> str:
        """Where the set is described."""
        return f"https://ir-datasets.com/{self.name.split('/')[0]}.html"

    def fields(self, kind: Literal["docs", "queries"]) -> tuple[str, ...]:
        """List the fields of its documents or queries, without the id."""
        return tuple(getattr(self.handle, f"{kind}_cls")()._fields[1:])

    def language(self, kind: Literal["docs", "queries"]) -> str | None:
        """Tell the language of its documents or queries, where the set says one."""
        code: str | None = getattr(self.handle, f"{kind}_lang")()
        return _CODES.get(code or "", code)

    def records(self, kind: Kind) -> Iterator[Any]:
        """Stream its documents, queries or judgements, fetching what is not there yet.

        Raises
        ------
        QgdrError
            If they cannot be had or read.
        """
        try:
            yield from getattr(self.handle, f"{kind}_iter")()
        except Exception as error:  # every reader raises what it meets: network, files, formats
            raise QgdrError(f"{PREFIX}{self.name}: {self._why(kind, error)}") from error

    def _why(self, kind: Kind, error: Exception) -> str:
        words = _WORDS[kind]
        if instructions := owner_instructions(self.handle):
            return f"its files must be had from their owner: {instructions} More: {self.page}#DataAccess"
        if _is_network(error):
            return f"its {words} cannot be fetched ({_brief(error)}); check the network, or see {self.page}"
        return f"its {words} cannot be read ({_brief(error)}); see {self.page}"


# Where the library's code is not ISO 639: MMARCO's Dutch, and CLIRMatrix's Simple English.
_CODES = {"dt": "nl", "simple": "en"}


def find_dataset(name: str) -> IrDataset:
    """Find a set that has documents, queries and judgements.

    Raises
    ------
    QgdrError
        If there is none of that name, it lacks one of the three, or its description cannot be had.
    """
    import ir_datasets

    try:
        handle = ir_datasets.load(name)
    except KeyError:
        near = difflib.get_close_matches(name, list(ir_datasets.registry), n=_SHOWN, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else "see https://ir-datasets.com for all names"
        raise QgdrError(f"ir_datasets has no set {name!r}; {hint}") from None
    except Exception as error:  # sets known by a pattern of names fetch their description here
        raise QgdrError(
            f"{PREFIX}{name}: its description cannot be fetched ({_brief(error)}); check the network"
        ) from error
    lacking = [words for kind, words in _WORDS.items() if not handle.has(kind)]
    if lacking:
        raise QgdrError(f"{PREFIX}{name} has no {' and no '.join(lacking)}; {_complete_relatives(name)}")
    return IrDataset(name, handle)


def _complete_relatives(name: str) -> str:
    """List sets of the same family that have all three, the nearest first."""
    import ir_datasets

    family = name.split("/")[0]
    complete = [
        other
        for other in ir_datasets.registry
        if other.split("/")[0] == family and all(ir_datasets.registry[other].has(kind) for kind in _WORDS)
    ]
    near = sorted(complete, key=lambda other: -difflib.SequenceMatcher(None, name, other).ratio())[:_SHOWN]
    return f"these have all: {', '.join(near)}" if near else f"no set of {family} has all"


@contextlib.contextmanager
def quiet_library() -> Iterator[None]:
    """Keep the library's messages from standard error, and its progress bars unless it is a terminal.

    What a user has to know of them is in our own messages.
    """
    logger = logging.getLogger("ir_datasets")
    logger.addFilter(_nothing)
    try:
        with contextlib.nullcontext() if sys.stderr.isatty() else contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logger.removeFilter(_nothing)


def _nothing(record: logging.LogRecord) -> bool:
    return False


def _is_network(error: Exception) -> bool:
    import requests

    return isinstance(_last(error), requests.RequestException)


def _last(error: Exception) -> Exception:
    """Give the last error of a message and (source, error)s, which the library raises in the end."""
    match error.args:
        case (str(), [*_, (_, Exception() as last)]):
            return last
    return error


def _brief(error: Exception) -> str:
    last = _last(error)
    text = " ".join(str(last).split())
    return f"{type(last).__name__}: {text[:300]}" if text else type(last).__name__
