"""Data sets of the library `ir_datasets`: which there are, their records, terms, licences and citations.

MacAvaney et al. (2021), "Simplified Data Wrangling with ir_datasets".
"""

from __future__ import annotations

import contextlib
import difflib
import html
import io
import logging
import pkgutil
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from qgdr_pyserini.errors import QgdrError

PREFIX = "ir_datasets:"
"""Before a data set's name."""

Kind = Literal["docs", "queries", "qrels"]

_WORDS: dict[Kind, str] = {"docs": "documents", "queries": "queries", "qrels": "judgements (qrels)"}
_SHOWN = 4

# Where the library's code is not ISO 639: MMARCO's Dutch, and CLIRMatrix's Simple English.
_CODES = {"dt": "nl", "simple": "en"}

_DEEPEST = 12

_TAG = re.compile(r"<[^>]*>")

_LICENCE = re.compile(r"\blicen[cs]e", re.IGNORECASE)

_LINK = re.compile(r"""<a [^>]*href=["'](http[^"']*)["'][^>]*>(.*?)</a>""", re.DOTALL)


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


def terms_of_use(handle: Any, name: str) -> str | None:
    """Find the agreement that a set's owner asks users for, in the library's words; None if there is none.

    Parameters
    ----------
    handle
        The library's object.
    name
        The set's name, whose first part is its family; some families state terms beside their files.
    """
    for download in _downloads(handle):
        if download.dua:
            return str(download.dua)
    from ir_datasets import datasets

    family = name.split("/")[0]
    modules = (module for module in vars(datasets).values() if getattr(module, "NAME", None) == family)
    return next((module.DUA for module in modules if hasattr(module, "DUA")), None)


def owner_instructions(handle: Any) -> str | None:
    """Say how to get the files that only their owner gives, in the library's words; None if all are there."""
    from ir_datasets.util.download import LocalDownload

    for download in _downloads(handle):
        places = download.mirrors
        if not all(isinstance(place, LocalDownload) and place._message for place in places):
            continue
        if not any(Path(file).exists() for file in (place.path(force=False) for place in places)):
            return " ".join(f"{places[0]._message.strip().rstrip('.')}.".split())
    return None


def _downloads(thing: Any, seen: set[int] | None = None, depth: int = 0) -> Iterator[Any]:
    """Find the files that a set is read from: its readers hold them, wrapped in each other.

    The library has no way to ask.
    """
    from ir_datasets.util.download import Download

    seen = set() if seen is None else seen
    if id(thing) in seen or depth > _DEEPEST:
        return
    seen.add(id(thing))
    if isinstance(thing, Download):
        yield thing
    for part in _parts(thing):
        yield from _downloads(part, seen, depth + 1)


def _parts(thing: Any) -> list[Any]:
    if isinstance(thing, (list, tuple)):
        return list(thing)
    if isinstance(thing, dict):
        return list(thing.values())
    if type(thing).__module__.split(".")[0] == "ir_datasets" and hasattr(thing, "__dict__"):
        return list(vars(thing).values())
    return []


def licence_text(dataset: IrDataset) -> str:
    """Give the terms of use and what the set's description says of its licence, or where to look."""
    stated = [terms_of_use(dataset.handle, dataset.name)]
    for documentation in _documentations(dataset.name):
        stated += _sentences(documentation.get("desc", ""))
    found = list(dict.fromkeys(filter(None, stated)))
    return " ".join(found) or f"not stated by ir_datasets; see {dataset.page}"


def citations(dataset: IrDataset) -> list[str]:
    """Give the BibTeX entries that a set and the sets above it ask to be cited by."""
    wanted = [key for found in _documentations(dataset.name) for key in found.get("bibtex_ids", ())]
    known = _bibliography() if wanted else {}
    return [known[key] for key in dict.fromkeys(wanted) if key in known]


def _documentations(name: str) -> Iterator[dict[str, Any]]:
    """Yield what is written about a set, then about those above it."""
    import ir_datasets

    parts = name.split("/")
    for length in range(len(parts), 0, -1):
        above = "/".join(parts[:length])
        if above in set(ir_datasets.registry) and hasattr(ir_datasets.registry[above], "documentation"):
            yield ir_datasets.registry[above].documentation()


def _sentences(description: str) -> list[str]:
    """Find the sentences that speak of a licence, links written out.

    Examples
    --------
    >>> _sentences('<p>Tea. Its <b>license</b> is <a href="https://x.org/by">CC BY</a>.</p>')
    ['Its license is CC BY <https://x.org/by>.']
    """
    linked = _LINK.sub(lambda link: f"{link[2]} \0{link[1]}\1", description)
    text = " ".join(html.unescape(_TAG.sub("", linked)).split())
    sentences = re.split(r"(?<=[.!?]) (?=[A-Z])", text)
    return [part.replace("\0", "<").replace("\1", ">") for part in sentences if _LICENCE.search(part)]


def _bibliography() -> dict[str, str]:
    """Read the library's BibTeX entries by key."""
    text = (pkgutil.get_data("ir_datasets", "docs/bibliography.bib") or b"").decode()
    entries = re.split(r"\n(?=@)", text)
    keyed = ((re.match(r"@\w+\{\s*([^,\s]+)", entry), entry.strip()) for entry in entries)
    return {match[1]: entry for match, entry in keyed if match}
