"""Search by words: BM25, by Pyserini's Lucene."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from qgdr_pyserini.ask.hits import Hit
from qgdr_pyserini.collection.passage_store import PassageStore
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.pyserini_plugin import lucene
from qgdr_pyserini.pyserini_plugin.bm25 import index_passages, kept_language


class LexicalSearcher:
    """Finds the passages that share words with a question. Use it as a context manager.

    Parameters
    ----------
    index
        Folder of a Lucene index of the passages.
    store
        The passages.

    Raises
    ------
    QgdrError
        If the index cannot be opened, or there is no Java that is new enough.
    """

    def __init__(self, index: Path, store: PassageStore) -> None:
        self._index = index
        self._store = store
        self.language = kept_language(index)
        self._stack = contextlib.ExitStack()
        self._searcher = self._stack.enter_context(lucene.open_searcher(index, self._ranking(1)))

    def search(self, questions: Sequence[str], hits: int) -> list[list[Hit]]:
        """Return at most ``hits`` passages for each question, best first."""
        topics = {str(number): question for number, question in enumerate(questions)}
        with lucene.java_errors(self._index, "Lucene cannot search the index"):
            found = lucene.search_batch(self._searcher, topics, self._ranking(hits))
        return [self._hits(ranked) for ranked in found.values()]

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
    language: str = "en",
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
        The passages' language.
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
    tell(f"Indexing {len(store):,} passages for BM25: {index}")
    index_passages(store, f"{len(store)} passages of a dense index", index, language, advance)
