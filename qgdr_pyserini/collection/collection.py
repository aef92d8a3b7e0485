"""A built collection: a directory with corpus, topics, qrels and answers; how it is found and written."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from qgdr_pyserini.collection.answers import Answers, write_answers
from qgdr_pyserini.collection.corpus import Passage, write_corpus
from qgdr_pyserini.collection.topics import topics_language, write_topics
from qgdr_pyserini.collection.trec import Judgement, write_qrels
from qgdr_pyserini.errors import InputError, QgdrError
from qgdr_pyserini.files import atomic_directory, atomic_text, checksum, refuse_existing

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


def refuse_output(directory: str | os.PathLike[str], *, overwrite: bool, manifest: str = MANIFEST) -> None:
    """Raise `QgdrError` unless a collection may be written to ``directory``.

    ``overwrite`` lets it replace a collection, known by its ``manifest``, and only that: a mistyped name must
    not cost a directory of something else.
    """
    place = Path(directory)
    refuse_existing(place, overwrite=overwrite)
    if place.is_dir() and any(place.iterdir()) and not (place / manifest).is_file():
        raise QgdrError(
            f"{place}: not a collection (no {manifest}), so it is not overwritten; choose another name"
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


class AbsentPassages:
    """Counts judged passages that did not come by.

    Parameters
    ----------
    judgements
        Of all questions.

    Examples
    --------
    >>> absent = AbsentPassages([Judgement("q1", "a"), Judgement("q1", "b"), Judgement("q2", "b", 0)])
    >>> [passage.docid for passage in absent.watch([Passage("a", "", "Text."), Passage("c", "", "Text.")])]
    ['a', 'c']
    >>> absent.counts()
    {'passages': 1, 'qrels': 2, 'relevant': 1, 'questions': 2}
    """

    def __init__(self, judgements: Sequence[Judgement]) -> None:
        self._judgements = judgements
        self._absent = {judgement.docid for judgement in judgements}

    def watch(self, passages: Iterable[Passage]) -> Iterator[Passage]:
        """Pass on the passages of the corpus."""
        for passage in passages:
            self._absent.discard(passage.docid)
            yield passage

    def counts(self) -> dict[str, int]:
        """Count the absent passages, their judgements, those above grade 0, and the questions of these.

        Empty if none is absent.
        """
        if not self._absent:
            return {}
        of_absent = [judgement for judgement in self._judgements if judgement.docid in self._absent]
        questions = {judgement.qid for judgement in of_absent}
        relevant = sum(judgement.relevance > 0 for judgement in of_absent)
        return {
            "passages": len(self._absent),
            "qrels": len(of_absent),
            "relevant": relevant,
            "questions": len(questions),
        }


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
            raise QgdrError(f"{language!r} is not a language code; write one such as en, zh or pt-BR")


def _write_manifest(work: Path, contents: Contents, counts: Mapping[str, Any]) -> None:
    manifest = {
        "name": contents.name,
        "source": contents.source,
        "licence": contents.licence,
        **contents.details(),
        "languages": sorted(contents.topics),
        "counts": counts,
        "checksums": {file.name: checksum(file) for file in sorted(work.iterdir())},
    }
    with atomic_text(work / MANIFEST) as file:
        json.dump(manifest, file, indent=2, ensure_ascii=False)
        file.write("\n")
