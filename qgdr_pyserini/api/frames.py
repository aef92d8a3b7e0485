"""DataFrames for topics, qrels, runs and corpora, and what else may stand for them."""

from __future__ import annotations

import contextlib
import math
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qgdr_pyserini.collection.collection import Collection
from qgdr_pyserini.collection.corpus import Passage, read_corpus, write_corpus
from qgdr_pyserini.collection.topics import read_topics, topics_language
from qgdr_pyserini.collection.trec import Qrels, Run, rank_hits, read_qrels
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.evaluate.languages import language_of
from qgdr_pyserini.evaluate.systems import System, read_system
from qgdr_pyserini.files import expand_pattern

if TYPE_CHECKING:
    import pandas as pd

AnyPath = str | os.PathLike[str]

Frame = Any
"""A `pandas.DataFrame`; pandas is not imported to find out."""

AnyTopics = AnyPath | Collection | Mapping[str, str] | Frame
"""A topics file or a pattern of them, a collection or its folder, questions by qid, or a DataFrame."""

AnyQrels = AnyPath | Collection | Mapping[str, Mapping[str, int]] | Frame
"""A TREC file, a collection or its folder, grades by docid by qid, or a DataFrame."""

AnyRun = AnyPath | Sequence[AnyPath] | Mapping[str, Mapping[str, float]] | Frame
"""TREC files or a pattern of them, scores by docid by qid, or a DataFrame."""

AnyCorpus = AnyPath | Collection | Frame
"""What `read_corpus` takes, a collection, or a DataFrame."""

# The first is what this package writes; the others are PyTerrier's, ir_datasets' and ranx's.
_QID = ("qid", "query_id", "q_id")
_DOCID = ("docid", "docno", "doc_id")
_QUERY = ("query", "text")
_LANGUAGE = ("lang", "language")
_GRADE = ("relevance", "label", "score")
_ID = (*_DOCID, "id", "_id")

IN_MEMORY = "in memory"
"""What stands for the file of a run that has none."""


@dataclass(frozen=True)
class Topics:
    """Questions and, as far as they are known, their languages, by qid."""

    questions: dict[str, str]
    languages: dict[str, str] = field(default_factory=dict)

    def language(self, qid: str) -> str | None:
        """Tell a question's language, which its id may show, as in ``xquad-de-1``."""
        return self.languages.get(qid) or language_of(qid)


def to_topics(topics: AnyTopics) -> Topics:
    """Take topics in any form.

    Raises
    ------
    QgdrError
        If there is none, a qid stands twice, is empty or holds whitespace, or a question is empty.
    """
    if _is_frame(topics):
        return _topics_of(topics)
    if isinstance(topics, Mapping):
        return Topics(_checked_questions([*topics], [*topics.values()]))
    questions: dict[str, str] = {}
    languages: dict[str, str] = {}
    for file in _topics_files(topics):
        found = read_topics(file)
        if twice := next((qid for qid in found if qid in questions), None):
            raise QgdrError(f"{file}: qid {twice!r} is in another topics file too; qids must differ")
        questions |= found
        if language := topics_language(file):
            languages |= dict.fromkeys(found, language)
    return Topics(questions, languages)


def to_qrels(qrels: AnyQrels) -> Qrels:
    """Take judgements in any form.

    Raises
    ------
    QgdrError
        If there is none, a column is missing, a grade is no whole number, or a pair is judged twice.
    """
    if isinstance(qrels, Mapping):
        return {
            str(qid): {str(docid): int(grade) for docid, grade in row.items()} for qid, row in qrels.items()
        }
    if not _is_frame(qrels):
        return read_qrels(qrels.qrels if isinstance(qrels, Collection) else _inside(qrels, "qrels.txt"))
    found: Qrels = {}
    for qid, docid, grade in _rows(qrels, "qrels", _QID, _DOCID, _GRADE):
        if docid in found.setdefault(str(qid), {}):
            raise QgdrError(f"qrels: {docid!r} is judged twice for query {qid!r}; keep one row")
        if not _is_whole(grade):
            raise QgdrError(f"qrels: grade {grade!r} of {docid!r} for query {qid!r} is no whole number")
        found[str(qid)][str(docid)] = int(grade)
    return found


def to_run(run: AnyRun, name: str = "run") -> Run:
    """Take a run in any form, and rank it as trec_eval does.

    Parameters
    ----------
    run
        Files or a DataFrame, for one.
    name
        What errors call it.

    Raises
    ------
    QgdrError
        If it has no hit, a column is missing, a docid is listed twice for a query, or a score is no finite
        number.
    """
    if _is_frame(run):
        return _run_of(run, name)
    if not isinstance(run, Mapping):
        return read_system(name, _files(run)).run
    _refuse_empty(run, name)
    return {str(qid): rank_hits({str(d): float(s) for d, s in hits.items()}) for qid, hits in run.items()}


def to_system(name: str, run: AnyRun) -> System:
    """Take a run in any form, under a name."""
    on_disk = not (_is_frame(run) or isinstance(run, Mapping))
    files = tuple(_files(run)) if on_disk else (IN_MEMORY,)
    return System(name, files, to_run(run, name))


@contextlib.contextmanager
def corpus_on_disk(corpus: AnyCorpus) -> Iterator[str]:
    """Yield the path of a corpus; that of a DataFrame is a file for as long as the block runs.

    Raises
    ------
    QgdrError
        If a DataFrame has no passage, lacks a column, or an id or text in it cannot be used.
    """
    if not _is_frame(corpus):
        yield os.fspath(corpus.directory if isinstance(corpus, Collection) else corpus)
        return
    with tempfile.TemporaryDirectory(prefix="qgdr-corpus-") as folder:
        file = Path(folder) / "corpus.jsonl"
        write_corpus(file, _passages_of(corpus))
        yield str(file)


def to_passages(corpus: AnyCorpus) -> dict[str, Passage]:
    """Take the passages of a corpus into memory, by docid; errors as in `corpus_on_disk`."""
    with corpus_on_disk(corpus) as path:
        return {passage.docid: passage for passage in read_corpus(path)}


def topics_frame(topics: Topics) -> pd.DataFrame:
    """Lay topics out as ``qid``, ``lang`` (missing where it is not known) and ``query``."""
    import pandas as pd

    qids = list(topics.questions)
    languages = [topics.language(qid) for qid in qids]
    return pd.DataFrame({"qid": qids, "lang": languages, "query": list(topics.questions.values())})


def qrels_frame(qrels: Qrels) -> pd.DataFrame:
    """Lay judgements out as ``qid``, ``docid`` and ``relevance``."""
    import pandas as pd

    rows = [(qid, docid, grade) for qid, judged in qrels.items() for docid, grade in judged.items()]
    return pd.DataFrame(rows, columns=["qid", "docid", "relevance"])


def run_frame(run: Run) -> pd.DataFrame:
    """Lay a run, hits in rank order, out as ``qid``, ``docid``, ``rank`` (from 1) and ``score``."""
    import pandas as pd

    rows = [
        (qid, docid, rank, score)
        for qid, hits in run.items()
        for rank, (docid, score) in enumerate(hits.items(), 1)
    ]
    return pd.DataFrame(rows, columns=["qid", "docid", "rank", "score"])


def _is_frame(value: Any) -> bool:
    return hasattr(value, "columns") and hasattr(value, "iloc")


def _topics_of(frame: Frame) -> Topics:
    qids, queries = _column(frame, "topics", _QID), _column(frame, "topics", _QUERY)
    questions = _checked_questions(qids, queries)
    name = next((name for name in _LANGUAGE if name in frame.columns), None)
    languages = [] if name is None else frame[name].tolist()
    known = {qid: lang for qid, lang in zip(questions, languages, strict=False) if isinstance(lang, str)}
    return Topics(questions, known)


def _checked_questions(qids: Sequence[Any], queries: Sequence[Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for qid, query in zip(map(str, qids), queries, strict=True):
        if qid.split() != [qid]:
            raise QgdrError(f"topics: qid {qid!r} is empty or holds whitespace, which TREC files cannot")
        if qid in found:
            raise QgdrError(f"topics: qid {qid!r} stands twice; qids must differ")
        if not isinstance(query, str) or not query.strip():
            raise QgdrError(f"topics: the question of {qid!r} is {query!r}; give every qid a text")
        found[qid] = query.strip()
    if not found:
        raise QgdrError("topics: there is no question")
    return found


def _run_of(frame: Frame, name: str) -> Run:
    found: Run = {}
    if not {"score", "rank"} & set(frame.columns):
        raise QgdrError(f"run {name!r}: needs a column 'score' or 'rank'")
    by_score = "score" in frame.columns
    for qid, docid, value in _rows(frame, f"run {name!r}", _QID, _DOCID, ("score" if by_score else "rank",)):
        hits = found.setdefault(str(qid), {})
        if str(docid) in hits:
            raise QgdrError(f"run {name!r}: {docid!r} is listed twice for query {qid!r}; keep one row")
        if not isinstance(value, int | float) or not math.isfinite(value):
            raise QgdrError(f"run {name!r}: score {value!r} of {docid!r} is not a finite number")
        hits[str(docid)] = float(value if by_score else -value)
    _refuse_empty(found, name)
    return {qid: rank_hits(hits) for qid, hits in found.items()}


def _refuse_empty(run: Mapping[str, Any], name: str) -> None:
    if not run:
        raise QgdrError(f"run {name!r}: holds no hits; run the search again")


def _passages_of(frame: Frame) -> Iterator[Passage]:
    docids, texts = _column(frame, "corpus", _ID), _column(frame, "corpus", ("text",))
    titles = frame["title"].tolist() if "title" in frame.columns else [""] * len(docids)
    seen: set[str] = set()
    for docid, title, text in zip(map(str, docids), titles, texts, strict=True):
        if docid.split() != [docid] or docid in seen:
            raise QgdrError(
                f"corpus: id {docid!r} is empty, holds whitespace or stands twice; ids must differ"
            )
        if not isinstance(text, str):
            raise QgdrError(f"corpus: the text of {docid!r} is {text!r}; give every passage one")
        seen.add(docid)
        # pandas fills a title that is missing with NaN.
        yield Passage(docid, title if isinstance(title, str) else "", text)


def _rows(frame: Frame, what: str, *columns: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
    rows = zip(*(_column(frame, what, names) for names in columns), strict=True)
    for row in rows:
        for name, value in zip(columns[:2], row, strict=False):
            if str(value).split() != [str(value)]:
                raise QgdrError(f"{what}: {name[0]} {value!r} is empty or holds whitespace")
        yield row


def _column(frame: Frame, what: str, names: tuple[str, ...]) -> list[Any]:
    for name in names:
        if name in frame.columns:
            values: list[Any] = frame[name].tolist()
            return values
    there = ", ".join(map(str, frame.columns)) or "none"
    raise QgdrError(f"{what}: needs a column {names[0]!r}; there is {there}")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and int(value) == value


def _files(run: Any) -> list[str]:
    patterns = [run] if isinstance(run, str | os.PathLike) else run
    files = [file for pattern in patterns for file in expand_pattern(os.fspath(pattern))]
    if not files:
        raise QgdrError("a run without files; give at least one")
    return files


def _topics_files(topics: Any) -> list[AnyPath]:
    if isinstance(topics, Collection):
        return [*topics.topics.values()]
    if Path(topics).is_dir():
        return [*Collection.open(topics).topics.values()]
    return [*expand_pattern(os.fspath(topics))]


def _inside(path: AnyPath, name: str) -> AnyPath:
    return Path(path) / name if Path(path).is_dir() else path
