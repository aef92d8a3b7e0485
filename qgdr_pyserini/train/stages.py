"""Stages of a run: each in a folder of its own, done once, gone on with when stopped."""

from __future__ import annotations

import abc
import dataclasses
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

from qgdr_pyserini.collection.tevatron import CandidateList, read_candidates, write_candidates
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.files import atomic_directory, atomic_text, read_json
from qgdr_pyserini.settings import Settings
from qgdr_pyserini.train.trainer import processes

DONE, BEGUN = "stage.json", "begun.json"

# Of what stages make; to be raised when the same settings come to make something else.
_VERSION = 3

# What a stage goes on from, and nobody needs once it is complete: checkpoints, hits by block, BM25's index.
_LEFTOVERS = ("checkpoint-*", "block-*", "lucene")


MINED = "mined.jsonl.gz"
"""File of a stage that writes all queries at once; others write parts."""

CHECKED = "{}.jsonl.gz"
"""File of held-out queries in the stage that checks the teacher, by the name of the score."""

_PATTERN = "part-{:05d}.jsonl.gz"

_COUNTS = "counts.json"

Content = TypeVar("Content")


@dataclasses.dataclass(frozen=True, slots=True)
class Done:
    """A complete stage.

    Parameters
    ----------
    name, folder
        What it is called and where it has put what it made.
    fingerprint
        Digest of everything that its content follows from.
    record
        What it tells about itself: counts, logs, seconds.
    """

    name: str
    folder: Path
    fingerprint: str
    record: dict[str, Any]

    @property
    def model(self) -> Path:
        """The model that it made."""
        return self.folder / "model"


@dataclasses.dataclass(frozen=True, slots=True)
class Fingerprinted(Generic[Content]):
    """Something that a stage reads, and the digest that stands for it in the stage's fingerprint."""

    value: Content
    fingerprint: str


@dataclasses.dataclass(frozen=True, slots=True)
class Means(Generic[Content]):
    """Something by which a stage works and which its content does not follow from."""

    value: Content


class Stage(abc.ABC):
    """What a stage does: a frozen dataclass whose fields are all that it reads.

    Its fingerprint is made of every field but `Means`: settings, complete stages, whatever else has a
    ``fingerprint``, plain values, and collections and dataclasses of these. As its work has nothing but
    the fields, it cannot follow from what the fingerprint leaves out.
    """

    @abc.abstractmethod
    def work(self, folder: Path) -> dict[str, Any]:
        """Fill the folder, going on with what lies there, and return the record.

        It is called in every process of a distributed run.
        """


def stands_for(value: object) -> Any:
    """Return what a fingerprint has of a stage's field, as JSON can hold it.

    Parameters
    ----------
    value
        A field, or a part of one.

    Raises
    ------
    TypeError
        If nothing stands for such a value: give its class a ``fingerprint``, or make the field a `Means`.

    Examples
    --------
    >>> stands_for([Done("student", Path("run/student"), "5f2a", {}), {"share": 0.75}])
    ['5f2a', {'share': 0.75}]
    """
    if isinstance(fingerprint := getattr(value, "fingerprint", None), str):
        return fingerprint
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Settings):
        return value.model_dump()
    if isinstance(value, Mapping):
        return {str(key): stands_for(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [stands_for(one) for one in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type | Means):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        read = {name: stands_for(one) for name, one in fields.items() if not isinstance(one, Means)}
        return [type(value).__name__, read]
    raise TypeError(f"{type(value).__name__} has no fingerprint")


class Stages:
    """Runs stages one after the other, and skips what is complete.

    A stage's fingerprint covers all that it reads and the version of what stages make, so a complete stage
    of another run with equal fingerprint can stand for it.

    Parameters
    ----------
    output
        The run's folder.
    reuse
        Folders of other runs to take complete stages from.
    say
        Called with a line when a stage begins, is skipped or is taken over.
    """

    def __init__(
        self, output: Path, reuse: Sequence[Path] = (), say: Callable[[str], object] = lambda line: None
    ) -> None:
        self._output = output
        self._reuse = reuse
        self.say = say
        self._state = processes()
        self.done: list[Done] = []

    def run(self, name: str, stage: Stage) -> Done:
        """Run a stage unless it is complete.

        Parameters
        ----------
        name
            Of the stage and its folder.
        stage
            What is to be done, with what.

        Raises
        ------
        QgdrError
            If the folder holds the stage made from other data or settings.
        """
        folder = self._output / name
        fingerprint = _digest([_VERSION, name, stands_for(stage)])
        if self._state.is_main_process:
            self._prepare(folder, name, fingerprint)
        self._state.wait_for_everyone()
        if not (folder / DONE).exists():
            self._work(folder, name, fingerprint, stage)
        kept = read_json(folder / DONE)
        self.done.append(Done(name, folder, fingerprint, kept["record"]))
        return self.done[-1]

    def _prepare(self, folder: Path, name: str, fingerprint: str) -> None:
        """Take the stage over from another run, or mark its folder as begun."""
        found = _fingerprint(folder / DONE) or _fingerprint(folder / BEGUN)
        if found and found != fingerprint:
            raise QgdrError(f"{folder}: was made from other data or settings; name a new --output")
        if (folder / DONE).exists():
            self.say(f"{name}: done before")
            return
        other = next((o for o in self._reuse if _fingerprint(o / name / DONE) == fingerprint), None)
        if other is not None and not found:
            with atomic_directory(folder) as copy:
                shutil.copytree(other / name, copy, dirs_exist_ok=True, copy_function=_link)
            self.say(f"{name}: taken from {other}")
            return
        self.say(f"{name}: {'going on' if found else 'begun'}")
        with atomic_text(folder / BEGUN) as file:
            json.dump({"fingerprint": fingerprint}, file)

    def _work(self, folder: Path, name: str, fingerprint: str, stage: Stage) -> None:
        start = time.monotonic()
        record = stage.work(folder)
        self._state.wait_for_everyone()
        if self._state.is_main_process:
            seconds = round(time.monotonic() - start, 1)
            with atomic_text(folder / DONE) as file:
                json.dump(
                    {"fingerprint": fingerprint, "record": {**record, "seconds": seconds}}, file, indent=1
                )
            for pattern in _LEFTOVERS:
                for leftover in folder.glob(pattern):
                    shutil.rmtree(leftover)
            self.say(f"{name}: complete, {seconds:,.0f} s")
        self._state.wait_for_everyone()


def _fingerprint(file: Path) -> str:
    return str(read_json(file)["fingerprint"]) if file.is_file() else ""


def _digest(values: Any) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _link(source: str, target: str) -> None:
    """Link a file that is never written to again; copy it where file systems differ."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def read_rows(stage: Done) -> list[CandidateList]:
    """Read the queries that a stage has written."""
    file = stage.folder / MINED
    return list(read_candidates(file)) if file.exists() else list(read_parts(stage.folder))


def write_rows(folder: Path, rows: Sequence[CandidateList], name: str = MINED) -> int:
    """Write all queries of a stage at once, by one process; return how many."""
    state = processes()
    if state.is_main_process:
        write_candidates(folder / name, rows)
    state.wait_for_everyone()
    return len(rows)


def write_parts(
    folder: Path,
    rows: Sequence[CandidateList],
    work: Callable[[int, Sequence[CandidateList]], Iterable[CandidateList]],
    size: int = 512,
) -> int:
    """Work on rows, a part at a time; parts that are there already are not made again.

    Parameters
    ----------
    folder
        Where the parts are kept.
    rows
        What to work on, the same in every process; process r of n does part r, r + n, …
    work
        Given a part's number and rows, returns rows; must depend on these alone.
    size
        Rows a part.

    Returns
    -------
    int
        Number of rows written, over all processes.
    """
    state = processes()
    parts = range(-(-len(rows) // size))
    for number in parts[state.process_index :: state.num_processes]:
        file = folder / _PATTERN.format(number)
        if not file.exists():
            found = list(work(number, rows[number * size : (number + 1) * size]))
            with atomic_text(folder / f"{file.name}.{_COUNTS}") as counts:
                json.dump(len(found), counts)
            if found:
                write_candidates(file, found)
            else:
                file.touch()
    state.wait_for_everyone()
    return sum(json.loads(file.read_text()) for file in folder.glob(f"*.{_COUNTS}"))


def read_parts(folder: Path) -> Iterator[CandidateList]:
    """Stream the rows of all parts, in order."""
    for file in sorted(folder.glob("part-*.jsonl.gz")):
        if file.stat().st_size:
            yield from read_candidates(file)


def save_model(model: Any, folder: Path) -> None:
    """Save ``folder/model``, whole or not at all, by one process."""
    if processes().is_main_process:
        with atomic_directory(folder / "model", overwrite=True) as work:
            model.save_pretrained(work)
