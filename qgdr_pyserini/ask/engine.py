"""An index opened to be asked: its encoder, its passages, and BM25 beside it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from qgdr_pyserini.ask.marking import Marker
from qgdr_pyserini.ask.passages import Answer, Hit, Mode, RankedPassage, open_passages
from qgdr_pyserini.ask.retrievers import DenseSearcher, LexicalSearcher, ensure_lucene_index
from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.collection.passage_store import PassageStore
from qgdr_pyserini.collection.segments import document_of, segment_id
from qgdr_pyserini.collection.trec import rank_hits
from qgdr_pyserini.dictionary.language_id import identify_language
from qgdr_pyserini.dictionary.passage_languages import passage_language
from qgdr_pyserini.errors import InputError, QgdrError
from qgdr_pyserini.evaluate.fusion import min_max

FUSED = 100
"""Passages of either search that a hybrid one adds up, at least."""


class Engine:
    """Answers questions from one index; see `open_engine`.

    Parameters
    ----------
    store
        The passages.
    dense
        Searches by vectors.
    lexical
        Searches by words; None where there is no index for it.
    """

    def __init__(
        self, store: PassageStore, dense: DenseSearcher, lexical: LexicalSearcher | None = None
    ) -> None:
        self.store = store
        self.dense = dense
        self.lexical = lexical

    @property
    def modes(self) -> tuple[Mode, ...]:
        """The ways in which it can search."""
        return ("dense", "bm25", "hybrid") if self.lexical else ("dense",)

    def find(self, docids: Sequence[str]) -> dict[str, Passage]:
        """Return what is found here, by id; of a document in segments the first. Other ids are left out."""
        if not self.dense.split:
            return self.store.find(docids)
        first = self.store.find([segment_id(docid, 0) for docid in docids])
        return {document_of(docid): passage for docid, passage in first.items()}

    def search(self, questions: Sequence[str], hits: int, mode: Mode) -> list[list[Hit]]:
        """Return at most ``hits`` passages for each question, best first.

        Raises
        ------
        QgdrError
            If the mode needs BM25 and there is none.
        """
        if mode == "dense":
            return self.dense.search(questions, hits)
        if self.lexical is None:
            raise QgdrError(f"{mode} search needs an index for BM25; give --bm25 DIR")
        if mode == "bm25":
            return self.lexical.search(questions, hits)
        deep = max(hits, FUSED)
        both = zip(self.dense.search(questions, deep), self.lexical.search(questions, deep), strict=True)
        return [fused(one, other)[:hits] for one, other in both]

    def answer(
        self, questions: Sequence[str], hits: int, mode: Mode = "dense", language: str | None = None
    ) -> list[Answer]:
        """Answer questions.

        Parameters
        ----------
        questions
            In any language.
        hits
            Most passages for each.
        mode
            How to search.
        language
            The questions' language; told by their letters if None.

        Raises
        ------
        QgdrError
            If the mode needs BM25 and there is none.
        """
        found = self.search(questions, hits, mode)
        return [
            self.present(question, language, mode, passages)
            for question, passages in zip(questions, found, strict=True)
        ]

    def present(self, question: str, language: str | None, system: str, hits: Sequence[Hit]) -> Answer:
        """Put what was found for a question into the form that is shown, with the question's words marked."""
        spoken = language or identify_language(question)
        return Answer(question, spoken, system, ranked(question, spoken, hits))


def ranked(question: str, language: str, hits: Sequence[Hit]) -> list[RankedPassage]:
    """Give hits their ranks, and the marks of the question's words, whatever language each is in."""
    return [_ranked(question, language, rank, hit) for rank, hit in enumerate(hits, 1)]


def _ranked(question: str, language: str, rank: int, hit: Hit) -> RankedPassage:
    item = hit.passage
    marker = Marker(question, language, passage_language(item))
    title_marks, text_marks = marker.find(item.title), marker.find(item.text)
    return RankedPassage(rank, item.docid, hit.score, item.title, item.text, title_marks, text_marks)


def fused(one: Sequence[Hit], other: Sequence[Hit]) -> list[Hit]:
    """Add up the scores of two searches, each brought to 0..1, as `qgdr compare --fuse sum` does.

    Examples
    --------
    >>> from qgdr_pyserini.collection.corpus import Passage
    >>> a, b, c = (Passage(docid, "", "") for docid in "abc")
    >>> [(hit.passage.docid, hit.score) for hit in fused([Hit(a, 0.9), Hit(b, 0.5)], [Hit(b, 7), Hit(c, 3)])]
    [('b', 1.0), ('a', 1.0), ('c', 0.0)]
    """
    passages = {hit.passage.docid: hit.passage for hit in (*one, *other)}
    total = dict.fromkeys(passages, 0.0)
    for hits in (one, other):
        for docid, score in min_max({hit.passage.docid: hit.score for hit in hits}).items():
            total[docid] += score
    return [Hit(passages[docid], score) for docid, score in rank_hits(total).items()]


@contextlib.contextmanager
def open_engine(
    index: Path,
    *,
    encoder: str | None = None,
    corpus: str | None = None,
    bm25: Path | None = None,
    device: str = "cpu",
    tell: Callable[[str], object] = lambda message: None,
) -> Iterator[Engine]:
    """Open an index to be asked.

    Parameters
    ----------
    index
        The index's folder.
    encoder
        Of the questions; the one that made the index if None.
    corpus
        What the index was made of, where it has no passages beside it.
    bm25
        Folder of the passages' Lucene index, which is made where there is none; None to do without.
    device
        Where questions are encoded.
    tell
        Called with what was decided or done on the user's behalf, a line each.

    Raises
    ------
    QgdrError
        If something of it is missing, damaged, or belongs to another index.
    """
    with contextlib.ExitStack() as stack:
        store = stack.enter_context(open_passages(index, corpus))
        dense = open_dense(index, store, encoder, device, tell)
        lexical = None
        if bm25 is not None:
            ensure_lucene_index(bm25, store, tell)
            lexical = stack.enter_context(LexicalSearcher(bm25, store, split=dense.split))
        yield Engine(store, dense, lexical)


def open_dense(
    index: Path, store: PassageStore, encoder: str | None, device: str, tell: Callable[[str], object]
) -> DenseSearcher:
    """Open an index whose passages are open already.

    Raises
    ------
    QgdrError
        If the index cannot be read, another encoder made it, or the passages are not its own.
    """
    dense = DenseSearcher(index, store.at, encoder, device)
    for guess in dense.guesses:
        tell(guess)
    if len(dense) != len(store):
        raise InputError(
            f"holds {len(dense):,} vectors and {len(store):,} passages; encode the corpus again", index
        )
    return dense
