"""Files of public data sets: from a folder where they lie there, otherwise from the Hugging Face hub.

``datasets`` no longer runs the scripts by which many sets are loaded, so their files are fetched and read.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Sequence
from pathlib import Path

from qgdr_pyserini.errors import InputError, QgdrError, first_line

_PREFIX = "hf://datasets/"

PARQUET = "refs/convert/parquet"
"""Where the hub keeps copies of sets whose own files are elsewhere."""

Fetch = Callable[[str, Sequence[str]], Path]
"""Takes a data set's name and patterns of file names; gives a folder that holds the files."""


def find_data_file(name: str, folder: Path) -> Path:
    """Find a data file or folder.

    Parameters
    ----------
    name
        Relative to ``folder``; or ``hf://datasets/OWNER/NAME/PATH``, of which a file called as
        PATH, or its last part, in ``folder`` goes before the hub's.
    folder
        The data folder.

    Raises
    ------
    QgdrError
        If it is neither in the folder nor on the hub, or the hub cannot be reached.

    Examples
    --------
    >>> name = "hf://datasets/Tevatron/xor-tydi/eng_span/train.jsonl.gz"
    >>> find_data_file(name, Path("data"))  # doctest: +SKIP
    """
    if not name.startswith(_PREFIX):
        if (folder / name).exists():
            return folder / name
        raise InputError("no such file; check --data and the recipe's data group", folder / name)
    owner, dataset, path = _parse(name)
    for local in (folder / path, folder / Path(path).name):
        if local.exists():
            return local
    return _download(f"{owner}/{dataset}", path, folder)


def _parse(name: str) -> tuple[str, str, str]:
    parts = name.removeprefix(_PREFIX).split("/", 2)
    if len(parts) != 3 or not all(parts):
        raise QgdrError(f"{name}: needs {_PREFIX}OWNER/NAME/PATH")
    return parts[0], parts[1], parts[2]


def _download(repository: str, path: str, folder: Path) -> Path:
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(repository, path, repo_type="dataset"))
    except Exception as error:
        raise QgdrError(
            f"{folder / Path(path).name}: not there, and {repository} could not be had from the hub "
            f"({first_line(error)}); put the file there"
        ) from error


def fetch_files(name: str, patterns: Sequence[str]) -> Path:
    """Download the files of a data set that match a pattern into the hub's cache.

    Parameters
    ----------
    name
        Of the data set, as ``miracl/miracl``.
    patterns
        Shell patterns, such as ``*/topics/*-dev.tsv``.

    Raises
    ------
    QgdrError
        If they cannot be fetched.
    """
    for revision in ("main", PARQUET):
        folder = _fetch(name, revision, patterns)
        if folder is not None and _holds(folder, patterns):
            return folder
    raise QgdrError(f"{name}: the hub has no {' or '.join(patterns)}; give --source DIR with the files")


def _holds(folder: Path, patterns: Sequence[str]) -> bool:
    """Tell whether a file matches: the cache may hold others of the same set."""
    files = (file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
    return any(fnmatch.fnmatch(file, pattern) for file in files for pattern in patterns)


def _fetch(name: str, revision: str, patterns: Sequence[str]) -> Path | None:
    """Download a revision's files; None if the set has no such revision."""
    import huggingface_hub
    from huggingface_hub.errors import RevisionNotFoundError

    try:
        folder = huggingface_hub.snapshot_download(
            name, repo_type="dataset", revision=revision, allow_patterns=list(patterns)
        )
    except RevisionNotFoundError:
        return None
    except Exception as error:
        # The hub's client raises a dozen unrelated types when the network or the set is absent.
        raise QgdrError(
            f"{name}: cannot be fetched from the Hugging Face hub ({first_line(error)}); "
            "check the network and your access, or give --source DIR with the files"
        ) from error
    return Path(folder)


def find_files(folder: Path, patterns: Sequence[str], origin: str) -> list[Path]:
    """List the files under a folder that match the first pattern that any does, sorted.

    Parameters
    ----------
    folder
        Searched with all its folders.
    patterns
        As `Path.rglob` takes them, the best first.
    origin
        Where the files come from, for the message.

    Raises
    ------
    QgdrError
        If there is none.
    """
    if not folder.is_dir():
        raise QgdrError(f"{folder}: no such directory; {origin}")
    for pattern in patterns:
        if files := sorted(file for file in folder.rglob(pattern) if file.is_file()):
            return files
    raise QgdrError(f"{folder}: holds no {' or '.join(patterns)}; {origin}")
