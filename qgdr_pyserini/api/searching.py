"""Searching: an index by an encoder's vectors, a corpus by BM25, and hits a second time by a teacher."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qgdr_pyserini.api.frames import (
    AnyCorpus,
    AnyPath,
    AnyRun,
    AnyTopics,
    corpus_on_disk,
    run_frame,
    to_passages,
    to_run,
    to_topics,
)
from qgdr_pyserini.api.telling import bar, tell
from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.collection.segments import DEPTH, best_segments, document_of
from qgdr_pyserini.errors import QgdrError

if TYPE_CHECKING:
    import pandas as pd

    from qgdr_pyserini.model.dual_encoder import DualEncoder
    from qgdr_pyserini.model.teacher import Teacher

Find = Callable[[Sequence[str]], Mapping[str, Passage]]
"""Gives passages by docid, those asked for among them; one that is not there is left out."""

_BATCH = 64
_UNKNOWN = "und"  # ISO 639's code for a language that is not known


class Searcher:
    """Searches an index through Pyserini's `FaissSearcher`, and shows what it finds.

    In an index of segments, it finds documents: each by its best segment, whose text is shown.

    Parameters
    ----------
    index
        An index's folder.
    encoder
        What encodes the questions: name, folder or name on the hub, an encoder that is loaded already, or a
        query encoder of Pyserini's. The one that ``qgdr.json`` beside the index names when None.
    corpus
        The passages, to be shown with their title and text: a file or folder, a collection, or a DataFrame,
        which is kept in memory. Those beside the index, read from disk as they are found, when None.
    device
        Where the questions are encoded: ``cpu``, ``cuda``, …
    threads
        Threads that FAISS searches with.

    Attributes
    ----------
    pyserini
        The `FaissSearcher`.

    Raises
    ------
    QgdrError
        If there is no index, it does not say which encoder made it and none is named, or another encoder
        made it.

    Examples
    --------
    >>> searcher = Searcher("indexes/xquad.qgdr", corpus="collections/xquad")  # doctest: +SKIP
    >>> searcher.search("Wo entspringt die Donau?", k=3)  # doctest: +SKIP
    >>> run = searcher.batch_search("collections/xquad", k=100)  # doctest: +SKIP
    """

    def __init__(
        self,
        index: AnyPath,
        encoder: AnyPath | DualEncoder | Any | None = None,
        corpus: AnyCorpus | None = None,
        *,
        device: str = "cpu",
        threads: int = 1,
    ) -> None:
        from qgdr_pyserini.encode.manifest import is_split
        from qgdr_pyserini.pyserini_plugin import hook
        from qgdr_pyserini.pyserini_plugin.matching import check_match
        from qgdr_pyserini.pyserini_plugin.running import active
        from qgdr_pyserini.pyserini_plugin.search import check_index

        hook.install()
        folder = os.fspath(index)
        check_index(Path(folder), together=True)
        from pyserini.search.faiss import FaissSearcher

        self.pyserini = FaissSearcher(folder, _query_encoder(folder, encoder, device))
        if "check_index_against_encoder" not in active:  # Pyserini was imported before the hook was there
            check_match(folder, self.pyserini.index, self.pyserini.query_encoder)
        self._split = is_split(Path(folder))
        self._find = _passages_of(Path(folder), corpus)
        self.threads = threads

    def search(self, question: str, k: int = 10) -> pd.DataFrame:
        """Find passages for one question.

        Parameters
        ----------
        question
            In any language.
        k
            How many passages.

        Returns
        -------
        pandas.DataFrame
            ``rank`` (from 1), ``docid``, ``score``, and where the passages are there ``title`` and ``text``;
            best first.

        Raises
        ------
        QgdrError
            If the question is empty, or a passage that was found is not in the corpus.
        """
        import pandas as pd

        if not question.strip():
            raise QgdrError("the question is empty")
        hits = self._best(self.pyserini.search(question, k=self._depth(k), threads=self.threads), k)
        docids, scores = [docid for docid, _, _ in hits], [score for _, _, score in hits]
        shown = self._shown([passage for _, passage, _ in hits])
        ranks = range(1, len(hits) + 1)
        return pd.DataFrame({"rank": ranks, "docid": docids, "score": scores, **shown})

    def batch_search(self, topics: AnyTopics, k: int = 100, *, progress: bool = True) -> pd.DataFrame:
        """Find passages for many questions.

        Parameters
        ----------
        topics
            A topics file or a pattern of them, a collection, questions by qid, or a DataFrame with ``qid``
            and ``query``.
        k
            How many passages for each.
        progress
            Whether to show how far it has come.

        Returns
        -------
        pandas.DataFrame
            A run: ``qid``, ``docid``, ``rank`` (from 1) and ``score``; of equal scores as the index gives
            them.
        """
        questions = to_topics(topics).questions
        qids = list(questions)
        found: dict[str, dict[str, float]] = {}
        with bar("questions", progress) as advance:
            for start in range(0, len(qids), _BATCH):
                batch = qids[start : start + _BATCH]
                texts = [questions[qid] for qid in batch]
                hits = self.pyserini.batch_search(texts, batch, k=self._depth(k), threads=self.threads)
                best = {qid: self._best(hits[qid], k) for qid in batch}
                found |= {qid: {docid: score for docid, _, score in best[qid]} for qid in batch}
                advance(len(batch))
        return run_frame(found)

    def _depth(self, k: int) -> int:
        """How many passages to search for, to have ``k``, or ``k`` documents."""
        return k * DEPTH if self._split else k

    def _best(self, hits: Sequence[Any], k: int) -> list[tuple[str, str, float]]:
        """Give id, passage's id and score of what is found, of an index of segments the documents."""
        if not self._split:
            return [(hit.docid, hit.docid, float(hit.score)) for hit in hits]
        best = best_segments(hits, lambda hit: hit.docid, k)
        return [(document_of(hit.docid), hit.docid, float(hit.score)) for hit in best]

    def _shown(self, docids: list[str]) -> dict[str, list[str]]:
        if self._find is None:
            return {}
        found = self._find(docids)
        if missing := next((docid for docid in docids if docid not in found), None):
            raise QgdrError(f"the corpus holds no passage {missing!r}; give the one that was encoded")
        passages = [found[docid] for docid in docids]
        return {"title": [item.title for item in passages], "text": [item.text for item in passages]}


def bm25(
    corpus: AnyCorpus,
    topics: AnyTopics,
    *,
    k: int = 100,
    language: str | None = None,
    lexicon: AnyPath | None = None,
    names: AnyPath | None = None,
    k1: float = 0.9,
    b: float = 0.4,
    rm3: bool = False,
    index: AnyPath | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Search a corpus with Pyserini's BM25, as ``qgdr bm25`` does.

    Parameters
    ----------
    corpus
        A file or folder, ``hub:NAME``, a collection, or a DataFrame with ``docid``, ``text`` and ``title``.
    topics
        A topics file or a pattern of them, a collection, questions by qid, or a DataFrame with ``qid``,
        ``query`` and, for a lexicon, ``lang``.
    k
        How many passages for each question.
    language
        Of the passages; as they say, or else recognised, when None.
    lexicon, names
        Dictionary files, by which the words of questions in other languages are translated.
    k1, b
        BM25's parameters.
    rm3
        Expand questions by RM3; not with a lexicon.
    index
        Where to keep the Lucene index, or where it was kept; thrown away when None.
    progress
        Whether to show how far it has come.

    Returns
    -------
    pandas.DataFrame
        A run: ``qid``, ``docid``, ``rank`` (from 1) and ``score``. Questions without a hit are not in it.

    Raises
    ------
    QgdrError
        If an input is wrong, or another index is in the way.
    """
    from qgdr_pyserini.pyserini_plugin.bm25 import Options, Reporter, search_bm25

    asked = to_topics(topics)
    by_language: dict[str, dict[str, str]] = {}
    for qid, question in asked.questions.items():
        by_language.setdefault(asked.language(qid) or _UNKNOWN, {})[qid] = question
    options = Options(
        hits=k,
        language=language,
        k1=k1,
        b=b,
        rm3=rm3,
        lexicon=None if lexicon is None else Path(lexicon),
        names=None if names is None else Path(names),
        index=None if index is None else Path(index),
    )
    run: dict[str, dict[str, float]] = {}
    with (
        corpus_on_disk(corpus) as path,
        tempfile.TemporaryDirectory(prefix="qgdr-bm25-") as scratch,
        bar("passages", progress) as advance,
    ):
        reporter = Reporter(tell if lexicon else _say_nothing, advance)
        for _, found in search_bm25(path, by_language, Path(scratch), options, reporter):
            run |= {qid: {docid: float(score) for docid, score in hits} for qid, hits in found}
    return run_frame({qid: run[qid] for qid in asked.questions if run.get(qid)})


def rerank(
    run: AnyRun,
    topics: AnyTopics,
    corpus: AnyCorpus,
    teacher: AnyPath | Teacher,
    *,
    depth: int = 100,
    language: str = "en",
    device: str = "cpu",
    progress: bool = True,
) -> pd.DataFrame:
    """Let a teacher rank the first hits of a run anew, as ``qgdr rerank`` does.

    Parameters
    ----------
    run
        TREC files or a DataFrame with ``qid``, ``docid`` and ``score``.
    topics
        The questions; see `bm25`.
    corpus
        The passages that were searched; see `bm25`.
    teacher
        A `QueryGenerator` or `CrossEncoder`, or the name or folder of one, or of an encoder of ours.
    depth
        Hits of each question that are ranked anew; those below are left out.
    language
        Of questions that nothing tells the language of; a query generator names it in its prompt.
    device
        ``cpu``, ``cuda``, …; that of a teacher that is loaded stays.
    progress
        Whether to show how far it has come.

    Returns
    -------
    pandas.DataFrame
        A run: ``qid``, ``docid``, ``rank`` (from 1) and ``score``.

    Raises
    ------
    QgdrError
        If an input is wrong, or they do not belong together.
    """
    from qgdr_pyserini.model.teacher import Query
    from qgdr_pyserini.model.teachers import load_scorer
    from qgdr_pyserini.train.rerank import rerank as rerank_run

    asked = to_topics(topics)
    queries = {qid: Query(text, asked.language(qid) or language) for qid, text in asked.questions.items()}
    ranking = {qid: list(hits)[:depth] for qid, hits in to_run(run).items()}
    if isinstance(teacher, str | os.PathLike):
        teacher = load_scorer(os.fspath(teacher), device=device)
    with corpus_on_disk(corpus) as path, bar("questions", progress) as advance:
        found = dict(rerank_run(ranking, queries, path, teacher, advance))
    return run_frame({qid: dict(hits) for qid, hits in found.items()})


def _passages_of(index: Path, corpus: AnyCorpus | None) -> Find | None:
    """Give what finds passages by docid: in a corpus, or beside the index; None where they are in neither."""
    from qgdr_pyserini.ask.passages import stored_passages
    from qgdr_pyserini.collection.passage_store import PassageStore

    if corpus is not None:
        passages = to_passages(corpus)
        return lambda docids: passages
    store = stored_passages(index)
    return PassageStore(store).find if store else None


def _query_encoder(index: str, encoder: Any, device: str) -> Any:
    """Make what Pyserini takes of whatever names or is an encoder."""
    from qgdr_pyserini.model.dual_encoder import DualEncoder
    from qgdr_pyserini.pyserini_plugin.encoders import QgdrQueryEncoder

    if encoder is None:
        from qgdr_pyserini.encode.manifest import IndexManifest
        from qgdr_pyserini.encode.queries import maker

        encoder = maker(Path(index), IndexManifest.read(Path(index)))
    if isinstance(encoder, DualEncoder):
        return QgdrQueryEncoder.wrapping(encoder)
    if isinstance(encoder, str | os.PathLike):
        return QgdrQueryEncoder(os.fspath(encoder), device=device)
    return encoder


def _say_nothing(line: str) -> None:
    pass
