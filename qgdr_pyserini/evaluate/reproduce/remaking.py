"""Making the runs of a comparison anew, by the commands in its ``reproduce.toml``."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from qgdr_pyserini.collection.collection import Collection
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.evaluate.reproduce.kept_runs import write_kept_qrels, write_kept_run
from qgdr_pyserini.evaluate.reproduce.reproduction import QRELS, Reproduction, run_name
from qgdr_pyserini.evaluate.runs import read_system
from qgdr_pyserini.files import atomic_text

_QGDR = ("-c", "from qgdr_pyserini.cli import main; main()")


def remake(reproduction: Reproduction, data: str | None, work: Path, say: Callable[[str], object]) -> Path:
    """Run all commands.

    Parameters
    ----------
    reproduction
        What to run.
    data
        Stands for ``{data}``.
    work
        An empty folder with room for the collection and the indexes.
    say
        Called with each command before it runs.

    Returns
    -------
    Path
        Folder in ``work`` with the files that would be kept.

    Raises
    ------
    QgdrError
        If ``data`` is needed and not given, or a command is unknown, fails or leaves no run.
    """
    if reproduction.data is not None and data is None:
        raise QgdrError(
            f"pass --data DIR, which holds {reproduction.data}; or --check to score the kept runs"
        )
    places = {
        "data": data or "",
        "work": str(work),
        "collection": str(work / "collection"),
        "questions": str(work / "questions.tsv"),
        "runs": str(work / "runs"),
    }
    (work / "runs").mkdir()
    _run(reproduction.collection, places, say)
    collection = Collection.open(work / "collection")
    _join_questions(collection, work / "questions.tsv")
    for commands in reproduction.commands.values():
        for command in commands:
            _run(command, places, say)
    return _keep(reproduction, collection, work)


def _run(command: str, places: Mapping[str, str], say: Callable[[str], object]) -> None:
    program, *arguments = shlex.split(_filled(command, places))
    if program not in ("qgdr", "python"):
        raise QgdrError(f"command {command!r} begins with neither 'qgdr' nor 'python'")
    say(f"$ {shlex.join([program, *arguments])}")
    before = _QGDR if program == "qgdr" else ()
    # What commands print would stand between the scores; their progress and errors go to stderr.
    done = subprocess.run([sys.executable, *before, *arguments], stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise QgdrError(f"'{shlex.join([program, *arguments])}' ended with exit code {done.returncode}")


def _filled(command: str, places: Mapping[str, str]) -> str:
    try:
        return command.format(**{name: shlex.quote(place) for name, place in places.items()})
    except (KeyError, IndexError, ValueError) as error:
        known = ", ".join(f"{{{name}}}" for name in places)
        raise QgdrError(f"command {command!r}: {error} stands for nothing; there are {known}") from None


def _join_questions(collection: Collection, path: Path) -> None:
    with atomic_text(path) as file:
        file.writelines(topics.read_text(encoding="utf-8") for topics in collection.topics.values())


def _keep(reproduction: Reproduction, collection: Collection, work: Path) -> Path:
    kept = work / "kept"
    write_kept_qrels(kept / QRELS, collection.qrels)
    for system in reproduction.commands:
        files = sorted(work.glob(f"runs/run.{system}.txt")) + sorted(work.glob(f"runs/run.{system}.*.txt"))
        if not files:
            raise QgdrError(f"the commands of {system!r} left no run.{system}.txt or run.{system}.LANG.txt")
        run = read_system(system, [str(file) for file in files]).run
        write_kept_run(kept / run_name(system), run, reproduction.hits, system)
    return kept
