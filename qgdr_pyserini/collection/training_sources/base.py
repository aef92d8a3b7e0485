"""What readers of training sources have in common: the rows that they give, and the registry.

A reader is a module of this package. It registers what reads its files, under the source's name::

    @register("ntrex-128", files=("newstest2019-*.txt",), pairs="sentences.tsv.gz", origin="https://…")
    def read_ntrex(files: Sequence[Path]) -> Iterator[Row]: ...

``qgdr collection build training-set`` and its messages know the source from then on.
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import pkgutil
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from qgdr_pyserini.collection.training_set import SOURCES, Source, TrainingPassage, TrainingQuery, Translation
from qgdr_pyserini.errors import InputError, QgdrError

PASSAGES = "passages.jsonl.gz"
QUERIES = "queries.jsonl.gz"
QUESTIONS = "question-translations.tsv.gz"
SENTENCES = "sentences.tsv.gz"
LEXICON = "lexicon.tsv.gz"
NAMES = "names.tsv.gz"

PAIRS = (QUESTIONS, SENTENCES, LEXICON, NAMES)
"""The files whose rows are texts with their English."""


class Parallel(NamedTuple):
    """A query about the passage of another query, whose id is ``of``; its own docid is empty."""

    query: TrainingQuery
    of: str


Row = TrainingPassage | TrainingQuery | Parallel | Translation
"""What a reader gives: passages before the queries about them; translations go where `pairs` says."""

Read = Callable[[Sequence[Path]], Iterator[Row]]


class OnHub(NamedTuple):
    """A data set on the Hugging Face hub, and shell patterns of the files in it that are needed."""

    name: str
    patterns: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class TrainingSource:
    """How a published set is read.

    Attributes
    ----------
    name
        Of the source, and of the folder that holds its files.
    read
        Reads them.
    files
        Shell patterns of their names, in whatever folders below.
    origin
        Where to download them.
    about
        Its name, where it comes from, and its licence.
    pairs
        The file of the training folder that its translations go to; empty if it has none.
    hub
        Where the same files are on the hub; empty if they are not.
    named_only
        Whether the hub's files are fetched only where the source is asked for by its name.
    """

    name: str
    read: Read
    files: tuple[str, ...]
    origin: str
    about: Source
    pairs: str = ""
    hub: tuple[OnHub, ...] = ()
    named_only: bool = False

    @property
    def layout(self) -> str:
        """Where its files have to lie below ``--source``."""
        return " or ".join(f"{self.name}/{pattern}" for pattern in self.files)


_REGISTRY: dict[str, TrainingSource] = {}


def register(
    name: str,
    *,
    files: tuple[str, ...],
    origin: str,
    tag: str = "",
    pairs: str = "",
    hub: tuple[OnHub, ...] = (),
    named_only: bool = False,
) -> Callable[[Read], Read]:
    """Register what reads the source ``name``; parameters as in `TrainingSource`.

    ``tag`` is its key in `SOURCES`, the name if not given.

    Raises
    ------
    ValueError
        If another module has registered that name.
    """

    def add(read: Read) -> Read:
        taken = _REGISTRY.get(name)
        if taken is not None and taken.read.__module__ != read.__module__:
            raise ValueError(f"source {name!r} is in {taken.read.__module__} already")
        about = SOURCES[tag or name]
        _REGISTRY[name] = TrainingSource(name, read, files, origin, about, pairs, hub, named_only)
        return read

    return add


def all_sources() -> dict[str, TrainingSource]:
    """Import the modules of this package, and give what they registered, by name in alphabetical order."""
    package = importlib.import_module(__package__)
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{__package__}.{module.name}")
    return dict(sorted(_REGISTRY.items()))


def choose_sources(names: Sequence[str]) -> list[TrainingSource]:
    """Give the sources of these names; all when there are none.

    Raises
    ------
    QgdrError
        If there is no such source; says which there are.
    """
    known = all_sources()
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
            raise QgdrError(f"--only: unknown source {name!r}; {hint}")
    return [source for name, source in known.items() if not names or name in names]


def clean(text: str) -> str:
    r"""Put a text on one line, with single spaces.

    Examples
    --------
    >>> clean(" Wo\tist\n das? ")
    'Wo ist das?'
    """
    return " ".join(text.split())


def split_of(file: Path) -> str:
    """Tell ``train`` from ``dev`` by a file's name, or its folder's.

    Raises
    ------
    InputError
        If neither says it.

    Examples
    --------
    >>> split_of(Path("SQuAD_it-test.json.gz")), split_of(Path("plain_text/train/0000.parquet"))
    ('dev', 'train')
    """
    for name in (file.name, file.parent.name):
        if found := re.search(r"train|dev|validation|test", name.lower()):
            return "train" if found[0] == "train" else "dev"
    raise InputError("its name says neither 'train' nor 'dev'; give it back its own name", file)


def split_columns(line: str, counts: Sequence[int], file: Path, number: int) -> list[str]:
    """Split a line at its tabs.

    Raises
    ------
    InputError
        If it has none of the numbers of columns.
    """
    columns = line.split("\t")
    if len(columns) not in counts:
        needed = " or ".join(map(str, counts))
        raise InputError(
            f"has {len(columns)} columns with tabs between; needs {needed}: fetch it again", file, number
        )
    return columns
