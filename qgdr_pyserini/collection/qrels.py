"""Relevance judgements in TREC's format."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NamedTuple

from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.files import atomic_text


class Judgement(NamedTuple):
    """A question, a passage, and how relevant it is to it (0: not at all)."""

    qid: str
    docid: str
    relevance: int = 1


def write_qrels(path: str | os.PathLike[str], judgements: Iterable[Judgement]) -> int:
    """Write ``qid 0 docid relevance`` a line; the file appears only when complete.

    Parameters
    ----------
    path
        Where to.
    judgements
        What to write, in this order.

    Returns
    -------
    int
        Number of judgements.

    Raises
    ------
    QgdrError
        If an id is empty or holds whitespace, which the format cannot hold.
    """
    count = 0
    with atomic_text(path) as file:
        for qid, docid, relevance in judgements:
            _check((qid, docid), path)
            file.write(f"{qid} 0 {docid} {relevance}\n")
            count += 1
    return count


def _check(names: tuple[str, ...], path: str | os.PathLike[str]) -> None:
    for name in names:
        if name.split() != [name]:
            raise QgdrError(f"{os.fspath(path)}: id {name!r} is empty or holds whitespace; replace it")
