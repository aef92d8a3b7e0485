"""Encoders of two towers: one transformer for questions, another for passages, as in DPR."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Literal

from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.registry import (
    DEFAULT_ENCODER,
    PAIR,
    encoder_name,
    find_encoder,
    find_folder,
    is_pair,
)
from qgdr_pyserini.model.saved_settings import MODULES, has_routes

Role = Literal["query", "passage"]
"""What a tower encodes."""

AND = "+"
"""Between the names of two encoders that make one: of questions, then of passages."""


@dataclasses.dataclass(frozen=True, slots=True)
class Tower:
    """One tower.

    Parameters
    ----------
    folder
        Where it is.
    role
        Which one of the folder is meant, if the folder holds both; None if it holds one.
    """

    folder: Path
    role: Role | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Towers:
    """What encodes questions and passages.

    Parameters
    ----------
    name
        What both together are called.
    query, passage
        The towers.
    shared
        Whether one encoder was named, for both.
    """

    name: str
    query: Tower
    passage: Tower
    shared: bool = False

    @property
    def query_name(self) -> str:
        """What the tower for questions is called: as the pair, if its folder holds both."""
        both = self.query.role is not None or self.query.folder.name == PAIR[0]
        return self.name if both else encoder_name(self.query.folder)

    def of(self, role: Role | None) -> Tower:
        """Return a role's tower.

        Raises
        ------
        QgdrError
            If no role is named and there are two towers.
        """
        if role is None and not self.shared:
            raise QgdrError(
                f"{self.name}: has two encoders, for questions and for passages; name the one needed here"
            )
        return self.passage if role == "passage" else self.query


def find_towers(name: str | os.PathLike[str]) -> Towers:
    """Find what encodes questions, and what encodes passages.

    Parameters
    ----------
    name
        As for `find_encoder`: one encoder, or a folder that names two; or two of them, questions' first, with
        ``+`` between. ``qgdr:`` may stand before it. A `Path` is taken as a folder.

    Raises
    ------
    QgdrError
        If there is no such encoder.
    """
    if not isinstance(name, str):
        return _in_folder(Path(name))
    # A folder may have a plus in its name.
    query, plus, passage = name.removeprefix(f"{DEFAULT_ENCODER}:").partition(AND)
    if not plus or find_folder(name) is not None:
        return _in_folder(find_encoder(name))
    if not query or not passage or AND in passage:
        raise QgdrError(f"{name!r}: two encoders are QUERY_ENCODER{AND}PASSAGE_ENCODER")
    first, second = find_towers(query), find_towers(passage)
    return Towers(f"{first.name}{AND}{second.name}", first.query, second.passage)


def _in_folder(folder: Path) -> Towers:
    name = encoder_name(folder)
    if is_pair(folder):
        query, passage = (Tower(folder / tower) for tower in PAIR)
        return Towers(name, query, passage)
    if (folder / MODULES).is_file() and has_routes(folder):
        return Towers(name, Tower(folder, "query"), Tower(folder, "passage"))
    return Towers(name, Tower(folder), Tower(folder), shared=True)
