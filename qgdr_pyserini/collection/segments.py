"""Segments of long documents: how they are called, and how a ranking of them becomes one of documents."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

DELIMITER = "#"
"""What stands between a document's id and a segment's number; Pyserini's default too."""

DEPTH = 10
"""Segments that are ranked for every document wanted, as in Anserini's runs for MS MARCO's documents."""

Item = TypeVar("Item")


def segment_id(docid: str, number: int) -> str:
    """Name a document's segment, counted from 0.

    Examples
    --------
    >>> segment_id("d7", 2)
    'd7#2'
    """
    return f"{docid}{DELIMITER}{number}"


def document_of(segment: str) -> str:
    """Give the id of a segment's document, as Pyserini's ``--max-passage-delimiter`` does.

    Examples
    --------
    >>> document_of("d7#2"), document_of("d7")
    ('d7', 'd7')
    """
    return segment.partition(DELIMITER)[0]


def best_segments(ranked: Iterable[Item], segment: Callable[[Item], str], documents: int) -> Iterator[Item]:
    """Yield the best segment of every document, the documents in the order of these (MaxP).

    Parameters
    ----------
    ranked
        Hits, best first.
    segment
        Gives a hit's id.
    documents
        Most documents to yield.

    Examples
    --------
    >>> list(best_segments(["a#1", "b#0", "a#0", "c#4"], str, 2))
    ['a#1', 'b#0']
    """
    seen: set[str] = set()

    def is_first(hit: Item) -> bool:
        document = document_of(segment(hit))
        new = document not in seen
        seen.add(document)
        return new

    return islice(filter(is_first, ranked), documents)
