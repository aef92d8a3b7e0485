"""The public sets that can be built as collections: one file and one row each."""

from __future__ import annotations

import difflib
import os
from typing import NamedTuple, Protocol

from qgdr_pyserini.collection.collection import Collection
from qgdr_pyserini.collection.sample_collection import build_sample
from qgdr_pyserini.collection.xquad import build_xquad
from qgdr_pyserini.errors import QgdrError


class Build(Protocol):
    """Builds a collection from ``source`` (a directory, ``hub``, or None) into ``output``."""

    def __call__(
        self,
        source: str | os.PathLike[str] | None,
        output: str | os.PathLike[str],
        *,
        overwrite: bool = False,
    ) -> Collection:
        """Build it; an output that may not be replaced is a `QgdrError`."""


class Builder(NamedTuple):
    """How a collection is built, and what it is in one line."""

    build: Build
    about: str


BUILDERS: dict[str, Builder] = {
    "sample": Builder(build_sample, "the small collection that ships with the package"),
    "xquad": Builder(build_xquad, "XQuAD's questions over the paragraphs of SQuAD's development set"),
}


def find_builder(name: str) -> Builder:
    """Look up how the collection ``name`` is built.

    Raises
    ------
    QgdrError
        If there is none of that name; says which there are.
    """
    if name in BUILDERS:
        return BUILDERS[name]
    nearest = difflib.get_close_matches(name, BUILDERS, n=1)
    hint = f"did you mean {nearest[0]!r}?" if nearest else f"known: {', '.join(BUILDERS)}"
    raise QgdrError(f"unknown collection {name!r}; {hint}")
