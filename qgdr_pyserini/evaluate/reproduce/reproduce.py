"""What ``qgdr reproduce`` does."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.evaluate.compare_files import Request, run_comparison
from qgdr_pyserini.evaluate.reproduce.curve_report import write_curve_report
from qgdr_pyserini.evaluate.reproduce.kept_runs import checksum
from qgdr_pyserini.evaluate.reproduce.remaking import remake
from qgdr_pyserini.evaluate.reproduce.reproduction import (
    QRELS,
    Reproduction,
    read_reproduction,
    run_name,
    write_results,
)
from qgdr_pyserini.evaluate.reproduce.scoring import Row, compare_scores, find_faults, score_folder
from qgdr_pyserini.evaluate.reproduce.tables import write_table_report
from qgdr_pyserini.lock import only_writer

Say = Callable[[str], object]


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
        runs=[f"{system}={folder / run_name(system)}" for system in reproduction.commands],
        fuse=[f"{name}={item.method}:{','.join(item.systems)}" for name, item in reproduction.fuse.items()],
        metrics=reproduction.metrics,
        mean_of=reproduction.mean_of,
        output=str(folder),
        overwrite=True,
    )
