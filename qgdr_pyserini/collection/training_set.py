"""What an encoder learns from: passages, queries, translations, sentences, a lexicon, names."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from qgdr_pyserini.collection.corpus import join_title
from qgdr_pyserini.collection.jsonl import read_objects
from qgdr_pyserini.errors import InputError, QgdrError
from qgdr_pyserini.files import read_lines

_QUERY_FIELDS = ("query_id", "lang", "query", "docid", "source")


class TrainingPassage(NamedTuple):
    """An English passage."""

    docid: str
    title: str
    text: str
    source: str

    @property
    def contents(self) -> str:
        """Title and text as a corpus has them."""
        return join_title(self.title, self.text)


class TrainingQuery(NamedTuple):
    """A query, the passage that it is about, and the answers where they are known.

    A query that is unanswerable was asked about its passage without being answered by it.
    """

    query_id: str
    lang: str
    query: str
    docid: str
    source: str
    answers: tuple[str, ...] = ()
    unanswerable: bool = False


class Translation(NamedTuple):
    """A text in some language and the same in English."""

    lang: str
    text: str
    english: str
    source: str


@dataclasses.dataclass(frozen=True, slots=True)
class TrainingSet:
    """A folder of training data, whole in memory.

    Parameters
    ----------
    passages
        By docid.
    queries
        Each with the docid of its passage.
    questions, sentences, lexicon, names
        Translations into English: of questions, sentences, words or phrases, and of names into
        Latin script.
    """

    passages: dict[str, TrainingPassage]
    queries: list[TrainingQuery]
    questions: list[Translation]
    sentences: list[Translation]
    lexicon: list[Translation]
    names: list[Translation]


def read_training_set(folder: Path) -> TrainingSet:
    """Read a training folder.

    Parameters
    ----------
    folder
        Holds ``passages.jsonl.gz``, ``queries.jsonl.gz``, ``question-translations.tsv.gz``,
        ``sentences.tsv.gz``, ``lexicon.tsv.gz`` and ``names.tsv.gz``.

    Raises
    ------
    InputError
        If a file is missing or a line is malformed; names file and line.
    """
    if not folder.is_dir():
        raise QgdrError(f"{folder}: no such training folder")
    passages = {row.docid: row for row in _read_passages(folder / "passages.jsonl.gz")}
    return TrainingSet(
        passages=passages,
        queries=list(_read_queries(folder / "queries.jsonl.gz", passages)),
        questions=list(_read_translations(folder / "question-translations.tsv.gz")),
        sentences=list(_read_translations(folder / "sentences.tsv.gz")),
        lexicon=list(_read_translations(folder / "lexicon.tsv.gz")),
        names=list(_read_translations(folder / "names.tsv.gz")),
    )


def _read_passages(path: Path) -> Iterator[TrainingPassage]:
    for number, row in read_objects(path):
        yield TrainingPassage(*_fields(row, TrainingPassage._fields, path, number))


def _read_queries(path: Path, passages: dict[str, TrainingPassage]) -> Iterator[TrainingQuery]:
    for number, row in read_objects(path):
        fields = dict(zip(_QUERY_FIELDS, _fields(row, _QUERY_FIELDS, path, number), strict=True))
        unanswerable = row.get("unanswerable") is True
        query = TrainingQuery(**fields, answers=_answers(row, path, number), unanswerable=unanswerable)
        if not query.lang or not query.query.strip():
            raise InputError("empty language or query; give both", path, number)
        if query.docid not in passages:
            raise InputError(f"docid {query.docid!r} is not in passages.jsonl.gz", path, number)
        yield query


def _answers(row: dict[str, Any], path: Path, number: int) -> tuple[str, ...]:
    answers = row.get("answers") or []
    if not isinstance(answers, list) or not all(isinstance(answer, str) for answer in answers):
        raise InputError("needs 'answers' as a list of strings", path, number)
    return tuple(answers)


def _fields(row: dict[str, Any], names: tuple[str, ...], path: Path, number: int) -> list[str]:
    for name in names:
        if not isinstance(row.get(name), str):
            raise InputError(f"needs {name!r} as text", path, number)
    return [row[name] for name in names]


def _read_translations(path: Path) -> Iterator[Translation]:
    for number, line in read_lines(path):
        columns = line.split("\t")
        if len(columns) != 4:
            raise InputError(
                f"has {len(columns)} columns; needs language, text, English, source", path, number
            )
        if not all(columns[:3]):
            raise InputError("empty language or text; take the line out", path, number)
        yield Translation(*columns)
