"""Ids that TREC's files can hold: without blanks, and still one for each."""

from __future__ import annotations

import re
from urllib.parse import quote

from qgdr_pyserini.errors import QgdrError

_BLANK = re.compile(r"\s")


class TrecIds:
    """Rewrites the ids of one set, one to one.

    A blank becomes ``%20``, and so on; all other ids stay as they are.

    Parameters
    ----------
    what
        What the ids are of, for errors.

    Examples
    --------
    >>> ids = TrecIds("document")
    >>> ids("LA010189-0001"), ids("New York"), ids.rewritten
    ('LA010189-0001', 'New%20York', 1)
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._names: set[str] = set()
        self._originals: dict[str, str] = {}

    def __call__(self, original: str) -> str:
        """Give the name of an id, always the same.

        Raises
        ------
        QgdrError
            If the id is empty, or another one has the name.
        """
        if not original or original.isspace():
            raise QgdrError(f"a {self._what} has no id; give every one an id")
        name = _BLANK.sub(lambda blank: quote(blank[0]), original)
        if name in self._names and self._originals.get(name, name) != original:
            raise QgdrError(
                f"the {self._what} ids {original!r} and {self._originals.get(name, name)!r} would both be "
                f"{name!r}, since TREC files cannot hold blanks; rename one"
            )
        self._names.add(name)
        if name != original:
            self._originals[name] = original
        return name

    def __len__(self) -> int:
        """How many ids there are."""
        return len(self._names)

    @property
    def rewritten(self) -> int:
        """How many ids got another name."""
        return len(self._originals)


class PassageIds:
    """The names of a corpus's passages, and which of them were read already.

    Judgements are read before the passages; one set of names serves both.
    """

    def __init__(self) -> None:
        self._ids = TrecIds("document")
        self._awaited: set[str] = set()
        self.repeated = 0
        """Passages whose id an earlier one has."""

    def of_judgement(self, original: str) -> str:
        """Give the name of a judged passage."""
        name = self._ids(original)
        self._awaited.add(name)
        return name

    def of_passage(self, original: str) -> str | None:
        """Give the name of a passage; None if an earlier one has the same id."""
        known = len(self._ids)
        name = self._ids(original)
        if name in self._awaited:
            self._awaited.remove(name)
        elif len(self._ids) == known:
            self.repeated += 1
            return None
        return name

    def remarks(self) -> list[str]:
        """Say what was left out, and what is called otherwise."""
        said = []
        if self.repeated:
            said.append(f"{self.repeated:,} documents have the id of an earlier one; left out.")
        if blanks := self._ids.rewritten:
            said.append(f"{blanks:,} document ids hold blanks, which TREC files cannot; written as %20.")
        return said
