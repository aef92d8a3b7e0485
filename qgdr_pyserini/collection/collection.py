"""A built collection: a directory with corpus, topics, qrels and answers."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

from qgdr_pyserini.collection.topics import topics_language
from qgdr_pyserini.errors import InputError, QgdrError
from qgdr_pyserini.files import refuse_existing

CORPUS = "corpus.jsonl"
QRELS = "qrels.txt"
ANSWERS = "answers.jsonl"
MANIFEST = "collection.json"

_REMEDY = "build the collection again with 'qgdr collection build'"


@dataclasses.dataclass(frozen=True, slots=True)
class Collection:
    """Where the parts of a built collection lie.

    Parameters
    ----------
    directory
        The collection's directory.
    topics
        Topics file by language, in the languages' alphabetical order.
    manifest
        What ``collection.json`` says: name, source, licence, languages, counts, checksums.

    Examples
    --------
    >>> xquad = Collection.open("collections/xquad")  # doctest: +SKIP
    >>> xquad.languages, xquad.topics["de"]  # doctest: +SKIP
    (('ar', 'de', 'en', 'es', 'ru', 'zh'), PosixPath('collections/xquad/topics.de.tsv'))
    """

    directory: Path
    topics: dict[str, Path]
    manifest: dict[str, Any]

    @classmethod
    def open(cls, directory: str | os.PathLike[str]) -> Collection:
        """Find the parts of a collection.

        Raises
        ------
        InputError
            If the directory or one of its parts is missing, or ``collection.json`` is damaged.
        """
        place = Path(directory)
        if not place.is_dir():
            raise InputError(f"no such collection; {_REMEDY}", place)
        for name in (MANIFEST, QRELS, ANSWERS):
            if not (place / name).is_file():
                raise InputError(f"{name} is missing; {_REMEDY}", place)
        manifest = _read_manifest(place / MANIFEST)
        if not (place / CORPUS).is_file() and manifest.get("counts", {}).get("passages") != 0:
            raise InputError(f"{CORPUS} is missing; {_REMEDY}", place)
        return cls(place, _find_topics(place), manifest)

    @property
    def name(self) -> str:
        """The collection's name."""
        return str(self.manifest["name"])

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages that have topics, in alphabetical order."""
        return tuple(self.topics)

    @property
    def corpus(self) -> Path:
        """The corpus file; absent where the collection was built without passages."""
        return self.directory / CORPUS

    @property
    def qrels(self) -> Path:
        """The qrels of all languages."""
        return self.directory / QRELS

    @property
    def answers(self) -> Path:
        """The answers of all languages."""
        return self.directory / ANSWERS


def refuse_output(directory: str | os.PathLike[str], *, overwrite: bool) -> None:
    """Raise `QgdrError` unless a collection may be written to ``directory``.

    ``overwrite`` lets it replace a collection, and only that: a mistyped name must not cost a
    directory of something else.
    """
    place = Path(directory)
    refuse_existing(place, overwrite=overwrite)
    if place.is_dir() and any(place.iterdir()) and not (place / MANIFEST).is_file():
        raise QgdrError(
            f"{place}: not a collection (no {MANIFEST}), so it is not overwritten; choose another name"
        )


def _find_topics(place: Path) -> dict[str, Path]:
    files = {topics_language(file): file for file in place.glob("topics.*.tsv")}
    topics = {language: files[language] for language in sorted(filter(None, files))}
    if not topics:
        raise InputError(f"no topics.LANG.tsv in it; {_REMEDY}", place)
    return topics


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise InputError(f"malformed JSON ({error.msg}); {_REMEDY}", path, error.lineno) from None
    except UnicodeDecodeError:
        raise InputError(f"not UTF-8; {_REMEDY}", path) from None
    if not isinstance(manifest, dict) or not isinstance(manifest.get("name"), str):
        raise InputError(f"gives the collection no name; {_REMEDY}", path)
    return manifest
