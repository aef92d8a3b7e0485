"""Systems: what is compared, each a name and its run files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from qgdr_pyserini.collection.trec import Run, rank_hits, read_run
from qgdr_pyserini.errors import InputError, QgdrError
from qgdr_pyserini.files import expand_pattern


@dataclass(frozen=True)
class System:
    """A retrieval system as its hits show it.

    Attributes
    ----------
    name
        What reports call it.
    files
        Where its hits were read.
    run
        Score by docid by qid, hits in rank order (see `read_run`).
    origin
        How it came to be, in a sentence, if not by search alone.
    """

    name: str
    files: tuple[str, ...]
    run: Run
    origin: str = ""


def read_systems(options: Iterable[str]) -> list[System]:
    """Read systems as ``--run`` names them.

    Parameters
    ----------
    options
        ``NAME=FILE`` or ``FILE``, where FILE may be a pattern such as ``runs/xquad.qgdr.*.txt``. A name used
        more than once stands for one system with several files; a file without a name is called by its stem.

    Returns
    -------
    list of System
        In the order in which their names first appear.

    Raises
    ------
    QgdrError
        If a name is empty or cannot be printed, or no file matches.
    InputError
        If a file cannot be read, or two files of one system hold the same query.
    """
    return [read_system(name, files) for name, files in find_runs(options).items()]


def find_runs(options: Iterable[str]) -> dict[str, list[str]]:
    """Tell which files belong to which system; parameters and errors as in `read_systems`.

    Examples
    --------
    >>> find_runs(["bm25=runs/bm25.de.txt", "bm25=runs/bm25.es.txt", "runs/qgdr.txt.gz"])
    {'bm25': ['runs/bm25.de.txt', 'runs/bm25.es.txt'], 'qgdr': ['runs/qgdr.txt.gz']}
    """
    found: dict[str, list[str]] = {}
    for option in options:
        for name, file in _named_files(option):
            files = found.setdefault(name, [])
            if file not in files:
                files.append(file)
    return found


def read_system(name: str, files: Sequence[str]) -> System:
    """Read one system's files into one run; parameters and errors as in `read_systems`."""
    run: Run = {}
    source: dict[str, str] = {}
    for file in files:
        hits = read_run(file)
        if shared := source.keys() & hits.keys():
            qid = min(shared)
            raise InputError(
                f"query {qid!r} of system {name!r} is in {source[qid]} too; give each file a name of its own",
                file,
            )
        source.update(dict.fromkeys(hits, file))
        run.update(hits)
    if not run:
        raise InputError("holds no hits; run the search again", files[0])
    return System(name, tuple(files), run)


def read_runs_together(files: Iterable[str]) -> Run:
    """Read runs of the same queries over different passages into one.

    Raises
    ------
    InputError
        If a file cannot be read, or a passage is in two of them for one query.
    """
    together: Run = {}
    for file in files:
        for qid, hits in read_run(file).items():
            known = together.setdefault(qid, {})
            if shared := known.keys() & hits.keys():
                raise InputError(f"passage {min(shared)!r} is listed for {qid!r} in another run too", file)
            known.update(hits)
    return {qid: rank_hits(hits) for qid, hits in together.items()}


def _named_files(option: str) -> Iterator[tuple[str, str]]:
    name, equals, pattern = option.partition("=")
    # An equals sign behind a slash belongs to a path: runs/lr=1e-5/run.txt.
    if not equals or "/" in name:
        yield from ((_stem(file), file) for file in expand_pattern(option))
    elif not name.strip() or not name.isprintable() or not pattern:
        raise QgdrError(f"--run {option!r}: needs NAME=FILE")
    else:
        yield from ((name.strip(), file) for file in expand_pattern(pattern))


def _stem(file: str) -> str:
    path = Path(file)
    return Path(path.stem).stem if path.suffix == ".gz" else path.stem
