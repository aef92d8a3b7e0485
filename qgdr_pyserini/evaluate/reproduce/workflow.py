"""What ``qgdr reproduce`` does: score the kept runs, or make them anew by the commands of its file."""

from __future__ import annotations

import contextlib
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from qgdr_pyserini.collection.collection import Collection
from qgdr_pyserini.collection.trec import read_qrels
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.evaluate.compare_files import Request, run_comparison
from qgdr_pyserini.evaluate.reproduce.curve_report import write_curve_report
from qgdr_pyserini.evaluate.reproduce.kept_runs import (
    Row,
    compare_scores,
    find_faults,
    score_folder,
    until_last_relevant,
    write_kept_languages,
    write_kept_qrels,
    write_kept_run,
)
from qgdr_pyserini.evaluate.reproduce.reproduction import (
    LANGUAGES,
    QRELS,
    Reproduction,
    fill,
    read_reproduction,
    run_name,
    write_results,
)
from qgdr_pyserini.evaluate.reproduce.tables import write_table_report
from qgdr_pyserini.evaluate.systems import read_system
from qgdr_pyserini.files import atomic_text, checksum
from qgdr_pyserini.lock import only_writer

Say = Callable[[str], object]

_DONE = "commands-done.txt"

_QGDR = ("-c", "from qgdr_pyserini.cli import main; main()")


def check(folder: Path) -> list[Row]:
    """Score the runs kept in a folder and compare with the scores expected.

    Raises
    ------
    QgdrError
        If ``reproduce.toml`` cannot be used. What is wrong with a kept file is told by its rows.
    """
    reproduction = read_reproduction(folder)
    faults = find_faults(reproduction, folder)
    return compare_scores(reproduction, score_folder(reproduction, folder, faults), faults)


def reproduce(folder: Path, data: str | None, say: Say, work: Path | None = None) -> list[Row]:
    """Make all runs of a folder anew and compare with the scores expected; nothing in it changes.

    Parameters
    ----------
    folder
        Holds ``reproduce.toml``.
    data
        Folder with the data that it needs, if it does.
    say
        Called with each command before it runs.
    work
        Where indexes, models and the like are made, and kept: what was stopped goes on there. A temporary
        folder when None.

    Raises
    ------
    QgdrError
        If ``reproduce.toml`` cannot be used, data are missing or a command fails.
    """
    reproduction = read_reproduction(folder)
    with _scratch(work, None) as place, tempfile.TemporaryDirectory(prefix="qgdr-kept-") as kept:
        made = remake(reproduction, _name(folder), data, place, Path(kept), say)
        return compare_scores(reproduction, score_folder(reproduction, made, {}), {})


def update(
    folder: Path, data: str | None, say: Say, work: Path | None = None, *, anew: bool = True
) -> list[Path]:
    """Make runs and keep them, their scores and a report in place of the earlier ones.

    Parameters
    ----------
    folder, data, say, work
        As for `reproduce`.
    anew
        Make all runs; otherwise those alone that are missing, or are not the file that was kept.

    Returns
    -------
    list of Path
        The report's files.

    Raises
    ------
    QgdrError
        As from `reproduce`; also if the collection is no longer the one that the kept runs were made over.
    """
    reproduction = read_reproduction(folder)
    # In the same file system, so that each file appears under its name in one step.
    with _scratch(work, folder) as place, tempfile.TemporaryDirectory(prefix=".kept.", dir=folder) as kept:
        made = Path(kept)
        if not anew:
            _take_intact(reproduction, folder, made)
        if not all((made / name).exists() for name in reproduction.kept_files):
            remake(reproduction, _name(folder), data, place, made, say)
        faults: dict[str, str] = {}
        scores = score_folder(reproduction, made, faults)
        if faults:
            raise QgdrError(next(iter(faults.values())))
        _replace(reproduction, made, folder)
    checksums = {name: checksum(folder / name) for name in reproduction.kept_files}
    write_results(folder, scores, checksums)
    if reproduction.curves is not None:
        return write_curve_report(reproduction, reproduction.curves, folder)
    if reproduction.table is not None:
        return write_table_report(reproduction, reproduction.table, folder)
    return run_comparison(_request(reproduction, folder))[1]


def _name(folder: Path) -> str:
    return folder.resolve().name


def _take_intact(reproduction: Reproduction, folder: Path, made: Path) -> None:
    """Copy the kept files that are as they were."""
    faults = find_faults(reproduction, folder)
    for name in reproduction.kept_files:
        if name not in faults:
            shutil.copy2(folder / name, made / name)


@contextlib.contextmanager
def _scratch(work: Path | None, beside: Path | None) -> Iterator[Path]:
    """Give a folder to work in: the one named, which stays, or a temporary one."""
    if work is not None:
        work.mkdir(parents=True, exist_ok=True)
        with only_writer(work):
            yield work
    else:
        with tempfile.TemporaryDirectory(prefix=".making.", dir=beside) as place:
            yield Path(place)


def _replace(reproduction: Reproduction, made: Path, folder: Path) -> None:
    for old in folder.glob("run.*.txt.gz"):
        if old.name not in reproduction.kept_files:
            old.unlink()
    for name in reproduction.kept_files:
        (made / name).replace(folder / name)


def _request(reproduction: Reproduction, folder: Path) -> Request:
    return Request(
        qrels=str(folder / QRELS),
        runs=[f"{system}={folder / run_name(system)}" for system in reproduction.whole],
        fuse=[f"{name}={item.option}" for name, item in reproduction.fuse.items()],
        metrics=reproduction.metrics,
        mean_of=reproduction.mean_of,
        output=str(folder),
        overwrite=True,
        **_passage_languages(reproduction, folder),
    )


def _passage_languages(reproduction: Reproduction, folder: Path) -> dict[str, Any]:
    """Name what the report tells of the passages' languages by."""
    settings = reproduction.passage_languages
    if settings is None:
        return {}
    alone = {
        system: [
            str(folder / run_name(fill(template, {settings.over: language})))
            for language in reproduction.vary[settings.over]
        ]
        for system, template in settings.runs.items()
    }
    return {"passage_languages": str(folder / LANGUAGES), "alone": alone}


def remake(
    reproduction: Reproduction,
    name: str,
    data: str | None,
    work: Path,
    kept: Path,
    say: Callable[[str], object],
) -> Path:
    """Run the commands of all systems whose run is not in ``kept`` already, and those that they share.

    Parameters
    ----------
    reproduction
        What to run.
    name
        Of the comparison. Others may have the same ``work``: each has its own collection and runs there,
        and a command that several have is run once.
    data
        Stands for ``{data}``.
    work
        A folder with room for the collection and the indexes. Commands that came to their end in it
        before are not run again.
    kept
        Where the files that would be kept go; those that are there stay.
    say
        Called with each command before it runs.

    Returns
    -------
    Path
        ``kept``.

    Raises
    ------
    QgdrError
        If ``data`` is needed and not given, a command is unknown, fails or leaves no run, or the collection
        has other judgements than those in ``kept``.
    """
    if reproduction.data is not None and data is None:
        raise QgdrError(
            f"pass --data DIR, which holds {reproduction.data}; or --check to score the kept runs"
        )
    places = {
        "data": data or "",
        "work": str(work),
        "collection": str(work / name / "collection"),
        "questions": str(work / name / "questions.tsv"),
        "runs": str(work / name / "runs"),
    }
    (work / name / "runs").mkdir(parents=True, exist_ok=True)
    commands = _Commands(work / _DONE, places, say)
    commands.run(reproduction.collection)
    collection = Collection.open(work / name / "collection")
    _keep_qrels(collection.qrels, kept / QRELS)
    if reproduction.passage_languages is not None and not (kept / LANGUAGES).exists():
        write_kept_languages(kept / LANGUAGES, collection.corpus)
    _join_questions(collection, work / name / "questions.tsv")
    missing = [system for system in reproduction.commands if not (kept / run_name(system)).exists()]
    shared = reproduction.shared if missing else []
    for command in [*shared, *(command for system in missing for command in reproduction.commands[system])]:
        commands.run(command)
    for system in missing:
        _keep_run(reproduction, system, work / name / "runs", kept)
    return kept


class _Commands:
    """Runs commands, and notes in a file which came to their end."""

    def __init__(self, file: Path, places: Mapping[str, str], say: Callable[[str], object]) -> None:
        self._file, self._places, self._say = file, places, say
        self._done = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []

    def run(self, command: str) -> None:
        """Run a command unless it is done."""
        program, *arguments = shlex.split(_filled(command, self._places))
        line = shlex.join([program, *arguments])
        if program not in ("qgdr", "python"):
            raise QgdrError(f"command {command!r} begins with neither 'qgdr' nor 'python'")
        if line in self._done:
            self._say(f"done before: {line}")
            return
        self._say(f"$ {line}")
        before = _QGDR if program == "qgdr" else ()
        # What commands print would stand between the scores; their progress and errors go to stderr.
        done = subprocess.run([sys.executable, *before, *arguments], stdout=subprocess.DEVNULL, check=False)
        if done.returncode:
            how = f"exit code {done.returncode}" if done.returncode > 0 else f"signal {-done.returncode}"
            raise QgdrError(f"'{line}' ended with {how}")
        self._done.append(line)
        with atomic_text(self._file) as file:
            file.writelines(f"{each}\n" for each in self._done)


def _filled(command: str, places: Mapping[str, str]) -> str:
    try:
        return command.format(**{name: shlex.quote(place) for name, place in places.items()})
    except (KeyError, IndexError, ValueError) as error:
        known = ", ".join(f"{{{name}}}" for name in places)
        raise QgdrError(f"command {command!r}: {error} stands for nothing; there are {known}") from None


def _join_questions(collection: Collection, path: Path) -> None:
    with atomic_text(path) as file:
        file.writelines(topics.read_text(encoding="utf-8") for topics in collection.topics.values())


def _keep_qrels(qrels: Path, kept: Path) -> None:
    if not kept.exists():
        write_kept_qrels(kept, qrels)
    elif read_qrels(kept) != read_qrels(qrels):
        raise QgdrError(
            f"{kept.name}: the collection has other judgements by now than the kept runs were made with; "
            "make all runs anew with --update"
        )


def _keep_run(reproduction: Reproduction, system: str, runs: Path, kept: Path) -> None:
    files = sorted(runs.glob(f"run.{system}.txt")) + sorted(runs.glob(f"run.{system}.*.txt"))
    if not files:
        raise QgdrError(f"the commands of {system!r} left no run.{system}.txt or run.{system}.LANG.txt")
    run = read_system(system, [str(file) for file in files]).run
    if system in reproduction.alone:
        run = until_last_relevant(run, read_qrels(kept / QRELS))
    write_kept_run(kept / run_name(system), run, reproduction.hits, system)
