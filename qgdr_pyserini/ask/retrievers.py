"""Search by vectors, and by words: BM25, by Pyserini's Lucene."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from qgdr_pyserini.ask.passages import Hit, best_of_documents
from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.collection.passage_store import PassageStore
from qgdr_pyserini.collection.segments import DEPTH
from qgdr_pyserini.encode.faiss_access import open_index
from qgdr_pyserini.encode.manifest import is_split
from qgdr_pyserini.encode.queries import encoder_of_index
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.inference.precision import lay_out
from qgdr_pyserini.model.registry import encoder_name
from qgdr_pyserini.pyserini_plugin import lucene
from qgdr_pyserini.pyserini_plugin.bm25 import choose_analyzer, index_passages, kept_language
from qgdr_pyserini.pyserini_plugin.flat_search import search_flat_indexes_exactly

Vectors = npt.NDArray[np.float32]

Lookup = Callable[[Sequence[int]], list[Passage]]
"""Gives the passages in some rows of an index."""


class DenseSearcher:
    """Finds the passages of an index whose vectors are nearest a question's, as `FaissSearcher` does.

    Of an index of segments, it finds documents: each by its best segment, under the document's id.

    Parameters
    ----------
    index
        The index's folder.
    passages
        Gives the passages in its rows.
    encoder
        Name or path; the one that made the index if None.
    device
        Where questions are encoded.

    Raises
    ------
    QgdrError
        If the index cannot be read or another encoder made it.

    Attributes
    ----------
    split
        Whether the index is of segments.
    """

    def __init__(
        self, index: Path, passages: Lookup, encoder: str | None = None, device: str = "cpu"
    ) -> None:
        self._passages = passages
        self.encoder = lay_out(encoder_of_index(index, encoder, device))
        self.guesses = self.encoder.guesses
        self.name = encoder_name(self.encoder.folder or index)
        self.split = is_split(index)
        self._index = open_index(index)
        if self._index.d != self.encoder.dimension:
            raise QgdrError(
                f"{index}: its vectors have {self._index.d} dimensions, those of the questions "
                f"{self.encoder.dimension}; encode both with one encoder"
            )
        search_flat_indexes_exactly(self._index)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def search(self, questions: Sequence[str], hits: int) -> list[list[Hit]]:
        """Return at most ``hits`` passages for each question, best first, whatever the others are."""
        if not questions:
            return []
        deep = hits * DEPTH if self.split else hits
        scores, rows = self._index.search(self.encode(questions), min(deep, max(1, len(self))))
        found = [self._hits(*ranked) for ranked in zip(scores.tolist(), rows.tolist(), strict=True)]
        return [best_of_documents(one, hits) for one in found] if self.split else found

    def encode(self, questions: Sequence[str]) -> Vectors:
        """Encode questions: float32, ``(questions, dimension)``."""
        return self.encoder.encode_queries(questions)

    def _hits(self, scores: list[float], rows: list[int]) -> list[Hit]:
        # Approximate indexes may find fewer, and fill up with row -1.
        found = [(score, row) for score, row in zip(scores, rows, strict=True) if row >= 0]
        passages = self._passages([row for _, row in found])
        return [Hit(passage, score) for (score, _), passage in zip(found, passages, strict=True)]


class LexicalSearcher:
    """Finds the passages that share words with a question. Use it as a context manager.

    Parameters
    ----------
    index
        Folder of a Lucene index of the passages.
    store
        The passages.
    split
        Whether these are segments of documents, to be ranked by the best.

    Raises
    ------
    QgdrError
        If the index cannot be opened, or there is no Java that is new enough.
    """

    def __init__(self, index: Path, store: PassageStore, *, split: bool = False) -> None:
        self._index = index
        self._split = split
        self._store = store
        self.language = kept_language(index)
        self._stack = contextlib.ExitStack()
        self._searcher = self._stack.enter_context(lucene.open_searcher(index, self._ranking(1)))

    def search(self, questions: Sequence[str], hits: int) -> list[list[Hit]]:
        """Return at most ``hits`` passages for each question, best first."""
        topics = {str(number): question for number, question in enumerate(questions)}
        with lucene.java_errors(self._index, "Lucene cannot search the index"):
            ranking = self._ranking(hits * DEPTH if self._split else hits)
            found = map(self._hits, lucene.search_batch(self._searcher, topics, ranking).values())
        return [best_of_documents(one, hits) if self._split else one for one in found]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _ranking(self, hits: int) -> lucene.Ranking:
        return lucene.Ranking(language=self.language, hits=hits)

    def _hits(self, ranked: lucene.Hits) -> list[Hit]:
        passages = self._store.find([docid for docid, _ in ranked])
        for docid, _ in ranked:
            if docid not in passages:
                raise QgdrError(
                    f"{self._index}: passage {docid!r} is not among those of the dense index; "
                    "index the same corpus for both"
                )
        return [Hit(passages[docid], score) for docid, score in ranked]


def ensure_lucene_index(
    index: Path,
    store: PassageStore,
    tell: Callable[[str], object],
    language: str | None = None,
    advance: Callable[[int], object] = lambda count: None,
) -> None:
    """Make the Lucene index of a store's passages, where there is none.

    Parameters
    ----------
    index
        Its folder.
    store
        The passages.
    tell
        Called with what is done.
    language
        The passages' language; recognised when None.
    advance
        Called with the number of passages indexed since the last call.

    Raises
    ------
    QgdrError
        If something else stands there.
    """
    if any(index.glob("segments_*")):
        return
    if index.exists() and not (index.is_dir() and not any(index.iterdir())):
        raise QgdrError(f"{index}: no index of Lucene's; name one, or a folder that is to be made")
    if language is None:
        language, remark = choose_analyzer(store)
        if remark:
            tell(remark)
    tell(f"Indexing {len(store):,} passages for BM25: {index}")
    index_passages(store, f"{len(store)} passages of a dense index", index, language, advance)
