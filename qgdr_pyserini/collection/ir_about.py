"""What `ir_datasets` says about a set: licence and citation."""

from __future__ import annotations

import html
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

from qgdr_pyserini.collection.ir_access import terms_of_use
from qgdr_pyserini.collection.loaders.ir_library import IrDataset

_TAG = re.compile(r"<[^>]*>")
_LICENCE = re.compile(r"\blicen[cs]e", re.IGNORECASE)
_LINK = re.compile(r"""<a [^>]*href=["'](http[^"']*)["'][^>]*>(.*?)</a>""", re.DOTALL)


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
