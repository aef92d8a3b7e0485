"""A corpus: passages with their ids, streamed from JSON Lines."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from qgdr_pyserini.collection.jsonl import write_objects
from qgdr_pyserini.collection.tables import HUB, read_hub, read_rows, saved_files
from qgdr_pyserini.errors import InputError

ID_FIELDS = ("id", "_id", "docid")
SUFFIXES = (".jsonl", ".jsonl.gz", ".json", ".json.gz", ".parquet")


@dataclasses.dataclass(frozen=True, slots=True)
class Passage:
    r"""A passage of a corpus.

    Parameters
    ----------
    docid
        Its id, unique in the corpus, without whitespace.
    title
        Its title, empty where it has none.
    text
        Its text.
    language
        Its language, as ``de`` or ``zh``; empty where the corpus does not say.

    Examples
    --------
    >>> Passage("7", "Danube", "It rises in the Black Forest.").contents
    'Danube\nIt rises in the Black Forest.'
    >>> Passage("8", "", "It rises in the Black Forest.").contents
    'It rises in the Black Forest.'
    """

    docid: str
    title: str
    text: str
    language: str = ""

    @property
    def contents(self) -> str:
        """Title and text as Pyserini indexes them: two lines, or the text alone."""
        return join_title(self.title, self.text)


def join_title(title: str, text: str) -> str:
    r"""Put a title on a line of its own before a text; an empty one is left out.

    Examples
    --------
    >>> join_title("Danube", "It rises in …"), join_title("", "It rises in …")
    ('Danube\nIt rises in …', 'It rises in …')
    """
    return f"{title}\n{text}" if title else text


def read_corpus(path: str | os.PathLike[str]) -> Iterator[Passage]:
    """Stream the passages of a corpus.

    A passage's id is its ``id``, ``_id`` or ``docid``. Its text is ``text``, with ``title`` where
    there is one; otherwise ``contents``, whose first line is the title if more lines follow. ``language``
    may say which language it is in.

    Parameters
    ----------
    path
        A JSON Lines file, gzipped or not, or a Parquet file; or a directory of them, read in the order of
        their names; or one that ``Dataset.save_to_disk`` wrote. A directory that ``qgdr collection build``
        wrote stands for its corpus file. ``hub:NAME`` is a set on the Hugging Face hub, see `read_hub`.

    Yields
    ------
    Passage
        One at a time. What is kept is the set of ids, not the texts.

    Raises
    ------
    InputError
        If there is nothing to read, or a line is malformed, lacks id or text, or repeats an id.
    """
    seen: set[str] = set()
    for file, line, passage in _located_passages(path):
        if passage.docid in seen:
            first = "{}:{}".format(*place_of(path, passage.docid))
            raise InputError(f"duplicate id {passage.docid!r}, first at {first}; ids must differ", file, line)
        seen.add(passage.docid)
        yield passage


def write_corpus(path: str | os.PathLike[str], passages: Iterable[Passage]) -> int:
    """Write a corpus file that both this package and Pyserini read.

    Parameters
    ----------
    path
        Where to; a name ending in ``.gz`` is compressed. It appears only when complete.
    passages
        What to write, each with ``id``, ``title``, ``text`` and ``contents``, and ``language`` where it is
        known.

    Returns
    -------
    int
        Number of passages.
    """
    return write_objects(path, map(_row, passages))


def _row(item: Passage) -> dict[str, str]:
    row = {"id": item.docid, "title": item.title, "text": item.text, "contents": item.contents}
    return row | {"language": item.language} if item.language else row


def corpus_files(path: str | os.PathLike[str]) -> list[Path]:
    """List the files that make up a corpus, in reading order; none for a set on the hub.

    Raises
    ------
    InputError
        If there is nothing at ``path``, or a directory holds no JSON Lines file.
    """
    place = Path(path)
    if on_hub(path):
        return []
    if not place.is_dir():
        return [place]
    if (saved := saved_files(place)) is not None:
        return saved
    if (place / "collection.json").is_file():
        if not (place / "corpus.jsonl").is_file():
            raise InputError("a collection without passages; build it again with --corpus PATH", place)
        return [place / "corpus.jsonl"]
    files = sorted(file for file in place.iterdir() if _is_corpus_file(file))
    if not files:
        raise InputError(f"empty directory: no file in it ends in {', '.join(SUFFIXES)}", place)
    return files


def _is_corpus_file(file: Path) -> bool:
    return file.is_file() and file.name.endswith(SUFFIXES) and not file.name.startswith(".")


def on_hub(path: str | os.PathLike[str]) -> bool:
    """Whether a corpus is a set on the Hugging Face hub."""
    return os.fspath(path).startswith(HUB)


def _located_passages(path: str | os.PathLike[str]) -> Iterator[tuple[Path, int, Passage]]:
    if on_hub(path):
        name = os.fspath(path)
        yield from ((Path(name), line, _passage(row, Path(name), line)) for line, row in read_hub(name))
    for file in corpus_files(path):
        for line, row in read_rows(file):
            yield file, line, _passage(row, file, line)


def place_of(path: str | os.PathLike[str], docid: str) -> tuple[Path, int]:
    """Say in which file and line an id stands first: by reading again, so that none is kept in memory."""
    return next((file, line) for file, line, passage in _located_passages(path) if passage.docid == docid)


def _passage(row: dict[str, Any], file: Path, line: int) -> Passage:
    docid = _docid(row, file, line)
    title, text, contents = (_string(row, key, file, line) for key in ("title", "text", "contents"))
    language = (_string(row, "language", file, line) or "").strip()
    if text is not None:
        return Passage(docid, title or "", text, language)
    if contents is None:
        raise InputError("neither 'contents' nor 'text'; give every passage one", file, line)
    if title is not None:
        return Passage(docid, title, contents.removeprefix(f"{title}\n"), language)
    head, newline, rest = contents.partition("\n")
    return Passage(docid, head, rest, language) if newline else Passage(docid, "", contents, language)


def _docid(row: dict[str, Any], file: Path, line: int) -> str:
    value = next((row[key] for key in ID_FIELDS if key in row), None)
    if value is None:
        raise InputError("no id; give every passage an 'id' ('_id' and 'docid' do too)", file, line)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise InputError(f"id must be a string, not {value!r}", file, line)
    if not value:
        raise InputError("empty id; give every passage one", file, line)
    if value.split() != [value]:
        raise InputError(f"id {value!r} holds whitespace, which TREC files cannot; replace it", file, line)
    return value


def _string(row: dict[str, Any], key: str, file: Path, line: int) -> str | None:
    value = row.get(key)
    if value is not None and not isinstance(value, str):
        raise InputError(f"{key!r} must be a string, not {type(value).__name__}", file, line)
    return value
