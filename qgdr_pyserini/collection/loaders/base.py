"""What loaders have in common: the request of a user, the registry, and questions gathered as a collection.

A loader is a module of this package. It registers what builds its set, under the set's name::

    @register("mkqa", "questions in 26 languages; DIR holds mkqa.jsonl.gz", options=("languages",))
    def build_mkqa(request: BuildRequest) -> Collection: ...

The command, its help and its errors know the set from then on.
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import os
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path

from qgdr_pyserini.collection.answers import Answers
from qgdr_pyserini.collection.collection import Collection, Contents
from qgdr_pyserini.collection.corpus import Passage, read_corpus
from qgdr_pyserini.collection.training_folder import TrainingFolder
from qgdr_pyserini.collection.trec import Judgement
from qgdr_pyserini.errors import QgdrError

HUB = "hub"


@dataclasses.dataclass(frozen=True, kw_only=True)
class BuildRequest:
    """The options of ``qgdr collection build``.

    Parameters
    ----------
    output
        The collection's directory.
    source
        Directory with the files, or ``hub``, or ``hub:NAME`` for a set that has no fixed name there.
    overwrite
        Replace a collection that stands there.
    corpus
        Passages to search, where the set has none: a corpus, or ``hub``.
    languages
        Languages to take; all when empty.
    split
        Part of the set; the usual one for measuring when None.
    dataset
        What stands behind the colon of ``ir_datasets:NAME``.
    query_fields
        Fields of the set's queries, ``FIELD`` or ``FIELD,FIELD``, each a topics file; what the set counts as
        their text when empty.
    doc_fields
        Fields of the set's documents, ``FIELD,FIELD``; likewise.
    topics
        ``LANG=FILE``, for each language, of a collection that is given file by file.
    qrels
        Its judgements.
    encoding
        Of the text in its files; UTF-8 when None.
    accept_licence
        The set's terms of use are read and accepted.
    passages
        Languages of the passages, ``LANG,LANG`` or ``all``, of a set that has the same in several; the usual
        passages when None.
    exclude
        What training is not to see: a file or directory with questions in SQuAD's layout.
    only
        Sources to take into a training set; all when empty.
    """

    output: str | os.PathLike[str]
    source: str | os.PathLike[str] | None = None
    overwrite: bool = False
    corpus: str | os.PathLike[str] | None = None
    languages: tuple[str, ...] = ()
    split: str | None = None
    dataset: str = ""
    query_fields: tuple[str, ...] = ()
    doc_fields: str | None = None
    topics: tuple[str, ...] = ()
    qrels: str | os.PathLike[str] | None = None
    encoding: str | None = None
    accept_licence: bool = False
    passages: str | None = None
    exclude: str | os.PathLike[str] | None = None
    only: tuple[str, ...] = ()

    def wants(self, language: str) -> bool:
        """Tell whether a language is asked for, ``zh-cn`` also by ``zh``."""
        return not self.languages or language in self.languages or language.split("-")[0] in self.languages

    def only_language(self, name: str, known: tuple[str, ...]) -> str:
        """Give the one language of a set that has a corpus for each.

        Raises
        ------
        QgdrError
            Unless exactly one is asked for, which the set has.
        """
        if len(self.languages) != 1 or self.languages[0] not in known:
            raise QgdrError(
                f"{name} has one corpus a language; pass --language once, with one of {', '.join(known)}"
            )
        return self.languages[0]

    def needed_source(self, name: str, files: str) -> str | os.PathLike[str]:
        """Give the source.

        Raises
        ------
        QgdrError
            If there is none; says which files are needed.
        """
        if self.source is None:
            raise QgdrError(f"{name} needs a source: give --source DIR with {files}, or --source hub")
        return self.source


_OPTIONS = {
    "corpus": "--corpus",
    "languages": "--language",
    "split": "--split",
    "query_fields": "--query-field",
    "doc_fields": "--doc-fields",
    "topics": "--topics",
    "qrels": "--qrels",
    "encoding": "--encoding",
    "accept_licence": "--accept-licence",
    "passages": "--passages",
    "exclude": "--exclude",
    "only": "--only",
}

Built = Collection | TrainingFolder
"""A collection to search, or a folder to train with."""

Build = Callable[..., Built]
"""Takes a `BuildRequest`, and what fetches files where tests give another."""


@dataclasses.dataclass(frozen=True, slots=True)
class Loader:
    """How a set is built.

    Attributes
    ----------
    name
        What users call the set.
    build
        Builds it.
    help
        What it is, and which files its source holds.
    options
        Fields of the request that it uses beside source, output and overwrite.
    named
        Whether a name belongs behind a colon, as in ``ir_datasets:NAME``.
    """

    name: str
    build: Build
    help: str
    options: frozenset[str] = frozenset()
    named: bool = False

    @property
    def usage(self) -> str:
        """How the set is called on the command line."""
        return f"{self.name}:NAME" if self.named else self.name

    @property
    def flags(self) -> tuple[str, ...]:
        """The command line's options that it uses beside ``--source``, ``--output`` and ``--overwrite``."""
        return tuple(flag for field, flag in _OPTIONS.items() if field in self.options)


_REGISTRY: dict[str, Loader] = {}


def register(
    name: str, help: str, *, options: Iterable[str] = (), named: bool = False
) -> Callable[[Build], Build]:
    """Register what builds the set ``name``; parameters as in `Loader`.

    Raises
    ------
    ValueError
        If another module has registered that name, or there is no such option.
    """
    chosen = frozenset(options)
    if unknown := chosen - _OPTIONS.keys():
        raise ValueError(f"loader {name!r}: no such option: {', '.join(sorted(unknown))}")

    def add(build: Build) -> Build:
        taken = _REGISTRY.get(name)
        if taken is not None and taken.build.__module__ != build.__module__:
            raise ValueError(f"loader {name!r} is in {taken.build.__module__} already")
        _REGISTRY[name] = Loader(name, build, help, chosen, named)
        return build

    return add


def all_loaders() -> dict[str, Loader]:
    """Import the modules of this package, and give what they registered, by name in alphabetical order."""
    package = importlib.import_module(__package__)
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{__package__}.{module.name}")
    return dict(sorted(_REGISTRY.items()))


def find_loader(name: str) -> Loader:
    """Look up how the set ``name`` is built.

    Raises
    ------
    QgdrError
        If there is none of that name; says which there are.
    """
    loaders = all_loaders()
    kind, colon, _ = name.partition(":")
    if kind in loaders and (not colon or loaders[kind].named):
        return loaders[kind]
    nearest = difflib.get_close_matches(name, loaders, n=1)
    hint = f"did you mean {nearest[0]!r}?" if nearest else f"known: {', '.join(loaders)}"
    raise QgdrError(f"unknown collection {name!r}; {hint}")


def build_collection(name: str, request: BuildRequest) -> Built:
    """Build the collection ``name``.

    Raises
    ------
    QgdrError
        If there is none of that name, it has no use for an option, or building it fails.
    """
    loader = find_loader(name)
    for field, option in _OPTIONS.items():
        if getattr(request, field) and field not in loader.options:
            raise QgdrError(f"{name} takes no {option}; leave it out")
    if ":" in name:
        request = dataclasses.replace(request, dataset=name.partition(":")[2])
    return loader.build(request)


@dataclasses.dataclass(frozen=True, slots=True)
class Question:
    """A question with what is known about it.

    Parameters
    ----------
    qid
        Differs over all languages and is not all digits.
    lang, text
        The question.
    judgements
        Passage id and relevance.
    answers
        Strings that answer it; None in a set without answers.
    """

    qid: str
    lang: str
    text: str
    judgements: tuple[tuple[str, int], ...] = ()
    answers: tuple[str, ...] | None = None


def gather(
    name: str, source: str, licence: str, questions: Iterable[Question], passages: Iterable[Passage] | None
) -> Contents:
    """Sort questions into topics, judgements and answers; parameters as in `Contents`.

    Raises
    ------
    QgdrError
        If there is no question.
    """
    rows = sorted(questions, key=lambda row: row.lang)
    if not rows:
        raise QgdrError(f"{name}: no question is left; check --language and --split")
    topics: dict[str, dict[str, str]] = {}
    for row in rows:
        topics.setdefault(row.lang, {})[row.qid] = row.text
    return Contents(
        name=name,
        source=source,
        licence=licence,
        passages=passages,
        topics=topics,
        judgements=[Judgement(row.qid, docid, grade) for row in rows for docid, grade in row.judgements],
        answers=[Answers(row.qid, row.lang, row.answers) for row in rows if row.answers is not None],
    )


def read_corpora(files: Iterable[Path]) -> Iterator[Passage]:
    """Stream the passages of several files."""
    return chain.from_iterable(map(read_corpus, files))
