"""What an encoder learns from, and where it comes from: passages, queries, translations, a lexicon, names."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from qgdr_pyserini.collection.corpus import join_title
from qgdr_pyserini.collection.jsonl import read_objects, string_list
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
        query = TrainingQuery(
            **fields,
            answers=string_list(row, "answers", path, number, optional=True),
            unanswerable=unanswerable,
        )
        if not query.lang or not query.query.strip():
            raise InputError("empty language or query; give both", path, number)
        if query.docid not in passages:
            raise InputError(f"docid {query.docid!r} is not in passages.jsonl.gz", path, number)
        yield query


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


class Source(NamedTuple):
    """A public data set."""

    name: str
    where: str
    licence: str


# By the `source` column of the training files, or its beginning.
SOURCES = {
    "squad-dev-es": Source("SQuAD dev in Spanish", "ccasimiro88/TranslateAlignRetrieve", "CC BY 4.0"),
    "squad-dev-da": Source("SQuAD dev in Danish", "ccasimiro88/TranslateAlignRetrieve", "CC BY 4.0"),
    "squad-dev-it": Source("SQuAD dev in Italian", "crux82/squad-it", "CC BY-SA 4.0"),
    "squad-dev-sv": Source("SQuAD dev in Swedish", "susumu2357/SQuAD_v2_sv", "Apache 2.0"),
    "squad-train-es": Source("SQuAD train in Spanish", "ccasimiro88/TranslateAlignRetrieve", "CC BY 4.0"),
    "squad-train-da": Source("SQuAD train in Danish", "ccasimiro88/TranslateAlignRetrieve", "CC BY 4.0"),
    "squad-train-it": Source("SQuAD train in Italian", "crux82/squad-it", "CC BY-SA 4.0"),
    "squad-train-sv": Source("SQuAD train in Swedish", "susumu2357/SQuAD_v2_sv", "Apache 2.0"),
    "squad-train": Source("SQuAD 1.1 and 2.0 train", "rajpurkar/SQuAD-explorer", "CC BY-SA 4.0"),
    "squad-dev": Source("SQuAD 1.1 and 2.0 dev", "rajpurkar/SQuAD-explorer", "CC BY-SA 4.0"),
    "natural-questions": Source(
        "Natural Questions paragraphs", "google-research-datasets/QED", "CC BY-SA 3.0"
    ),
    "afriqa": Source("AfriQA train and dev", "masakhane-io/afriqa", "CC BY 4.0"),
    "mkqa": Source("MKQA", "apple/ml-mkqa", "CC BY-SA 3.0"),
    "xor-tydi": Source("XOR-TyDi QA questions", "AkariAsai/XORQA", "MIT / CC BY-SA 4.0"),
    "mr-tydi": Source("Mr. TyDi", "castorini/mr.tydi", "Apache 2.0"),
    "ntrex-128": Source("NTREX-128", "MicrosoftTranslator/NTREX", "CC BY-SA 4.0"),
    "tico-19": Source("TICO-19", "tico-19.github.io", "CC0"),
    "ro-sts": Source("RO-STS", "dumitrescustefan/RO-STS", "CC BY-SA 4.0"),
    "tatoeba": Source("Tatoeba", "tatoeba.org", "CC BY 2.0 FR"),
    "gnome-user-docs": Source("GNOME user documentation", "gnome.org", "CC BY 3.0"),
    "wiktionary": Source("Wiktionary translations", "open-dsl-dict/wiktionary-dict", "CC BY-SA 3.0"),
    "wikidata-names": Source("Wikidata name pairs", "steveash/NETransliteration-COLING2018", "CC0"),
}


def find_source(tag: str) -> Source | None:
    """Find the source with the longest name that ``tag`` begins with.

    Examples
    --------
    >>> find_source("squad-dev-it").licence
    'CC BY-SA 4.0'
    >>> find_source("my-own-data") is None
    True
    """
    matches = [name for name in SOURCES if tag.startswith(name)]
    return SOURCES[max(matches, key=len)] if matches else None
