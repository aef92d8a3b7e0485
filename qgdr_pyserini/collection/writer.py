"""Writing a collection: every builder hands its parts to `write_collection`."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from qgdr_pyserini.collection.absent import AbsentPassages
from qgdr_pyserini.collection.answers import Answers, write_answers
from qgdr_pyserini.collection.collection import ANSWERS, CORPUS, MANIFEST, QRELS, Collection, refuse_output
from qgdr_pyserini.collection.corpus import Passage, write_corpus
from qgdr_pyserini.collection.topics import topics_language, write_topics
from qgdr_pyserini.collection.trec import Judgement, write_qrels
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.files import atomic_directory, atomic_text


@dataclasses.dataclass(frozen=True, slots=True)
class Contents:
    """What a collection is made of.

    Parameters
    ----------
    name
        The name it is built by.
    source
        Where the data come from: names or addresses, no paths of this machine.
    licence
        The licence of the data.
    passages
        The corpus; None for questions to be searched in a corpus elsewhere.
    topics
        By language, question by qid; qids differ over all languages.
    judgements
        Of all languages.
    answers
        Of all languages.
    details
        Gives what else ``collection.json`` is to say, when everything else is written.
    """

    name: str
    source: str
    licence: str
    passages: Iterable[Passage] | None
    topics: Mapping[str, Mapping[str, str]]
    judgements: Iterable[Judgement]
    answers: Iterable[Answers]
    details: Callable[[], Mapping[str, Any]] = dict


def write_collection(
    output: str | os.PathLike[str], contents: Contents, *, overwrite: bool = False
) -> Collection:
    """Write a collection, whose directory appears only when complete; equal contents, equal bytes.

    Parameters
    ----------
    output
        The directory.
    contents
        What goes into it.
    overwrite
        Replace a collection that stands there.

    Returns
    -------
    Collection
        The collection written.

    Raises
    ------
    QgdrError
        If something stands there that may not be replaced, or an id or question is one that the
        formats cannot hold.
    """
    refuse_output(output, overwrite=overwrite)
    _refuse_languages(contents.topics)
    with atomic_directory(output, overwrite=overwrite) as work:
        judgements = list(contents.judgements)
        absent = AbsentPassages(judgements)
        passages = contents.passages
        counts: dict[str, Any] = {
            "passages": 0 if passages is None else write_corpus(work / CORPUS, absent.watch(passages)),
            "questions": {
                language: write_topics(work / f"topics.{language}.tsv", topics)
                for language, topics in sorted(contents.topics.items())
            },
            "qrels": write_qrels(work / QRELS, judgements),
            "answers": write_answers(work / ANSWERS, contents.answers),
        }
        if passages is not None and (missing := absent.counts()):
            counts["absent"] = missing
        _write_manifest(work, contents, counts)
    return Collection.open(output)


def _refuse_languages(languages: Iterable[str]) -> None:
    for language in languages:
        if topics_language(f"topics.{language}.tsv") != language:
            raise QgdrError(f"{language!r} is no language code; write one such as en, zh or pt-BR")


def _write_manifest(work: Path, contents: Contents, counts: Mapping[str, Any]) -> None:
    manifest = {
        "name": contents.name,
        "source": contents.source,
        "licence": contents.licence,
        **contents.details(),
        "languages": sorted(contents.topics),
        "counts": counts,
        "checksums": {file.name: _checksum(file) for file in sorted(work.iterdir())},
    }
    with atomic_text(work / MANIFEST) as file:
        json.dump(manifest, file, indent=2, ensure_ascii=False)
        file.write("\n")


def _checksum(file: Path) -> str:
    with file.open("rb") as raw:
        return f"sha256:{hashlib.file_digest(raw, 'sha256').hexdigest()}"
