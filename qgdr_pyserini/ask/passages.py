"""What a search finds, with the text of what was found, from the store beside the index or its corpus."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from qgdr_pyserini.collection.corpus import Passage, read_corpus
from qgdr_pyserini.collection.passage_store import PASSAGES, PassageStore, store_of_corpus
from qgdr_pyserini.collection.segments import best_segments, document_of
from qgdr_pyserini.encode.manifest import MANIFEST, IndexManifest, is_split
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.files import read_lines

Mode = Literal["dense", "bm25", "hybrid"]
"""How to search: by vectors, by words, or by both, their scores added up."""

MODES: tuple[Mode, ...] = get_args(Mode)

Span = tuple[int, int]
"""Where something begins and ends in a text, in characters."""


class Hit(NamedTuple):
    """A passage and its score."""

    passage: Passage
    score: float


def best_of_documents(hits: Sequence[Hit], documents: int) -> list[Hit]:
    """Keep the best segment of each document, under the document's id.

    Examples
    --------
    >>> hits = [Hit(Passage(docid, "", docid), 1.0) for docid in ("a#1", "b#0", "a#0")]
    >>> [(hit.passage.docid, hit.passage.text) for hit in best_of_documents(hits, 5)]
    [('a', 'a#1'), ('b', 'b#0')]
    """
    best = best_segments(hits, lambda hit: hit.passage.docid, documents)
    return [
        Hit(dataclasses.replace(passage, docid=document_of(passage.docid)), score) for passage, score in best
    ]


@dataclasses.dataclass(frozen=True, slots=True)
class RankedPassage:
    """A passage in its place.

    Parameters
    ----------
    rank
        From 1.
    docid, score, title, text
        The passage and what it scored.
    title_marks, text_marks
        Where words of the question stand in title and text.
    """

    rank: int
    docid: str
    score: float
    title: str
    text: str
    title_marks: list[Span]
    text_marks: list[Span]


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """A question and what one system found.

    Parameters
    ----------
    question
        As it was asked.
    language
        Its language, ISO 639-1.
    system
        What searched: a mode, or a name.
    hits
        Best first.
    """

    question: str
    language: str
    system: str
    hits: list[RankedPassage]


_DOCIDS = "docid"


def stored_passages(index: Path) -> Path | None:
    """Give the file with an index's passages; None where there is none."""
    if not (index / MANIFEST).is_file():
        return None
    name = IndexManifest.read(index).store
    return index / name if name else None


@contextlib.contextmanager
def open_passages(index: Path, corpus: str | None = None) -> Iterator[PassageStore]:
    """Open the passages of an index, in the rows of the index.

    Parameters
    ----------
    index
        The index's folder.
    corpus
        What it was made of, for an index without its passages: they are then put into a store that lasts as
        long as the block.

    Raises
    ------
    QgdrError
        If there is no such index, it has no passages and ``corpus`` is None, the corpus is another's, or the
        index is of segments that are not beside it.
    """
    if not (index / _DOCIDS).is_file():
        raise QgdrError(f"{index}: no index (no file {_DOCIDS!r} in it); make one with 'qgdr encode-corpus'")
    found = stored_passages(index)
    if found is None and is_split(index):
        raise QgdrError(
            f"{index}: has no segments beside it; add them by --resume and the command that made it"
        )
    if found is None and corpus is None:
        raise QgdrError(
            f"{index}: has no passages beside it; give --corpus PATH, or add them for good by --resume and "
            "the command that made it"
        )
    with contextlib.ExitStack() as stack:
        if found is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="qgdr."))
            found = Path(folder) / PASSAGES
            docids = (docid for _, docid in read_lines(index / _DOCIDS))
            store_of_corpus(found, read_corpus(str(corpus)), docids, corpus)
        store = PassageStore(found)
        stack.callback(store.close)
        yield store
