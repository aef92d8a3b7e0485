"""A folder to train with, from published sets in their own layouts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from qgdr_pyserini.collection.collection import refuse_output
from qgdr_pyserini.collection.exclusion import Exclusion
from qgdr_pyserini.collection.hub import Fetch, fetch_files
from qgdr_pyserini.collection.loaders.base import HUB, BuildRequest, register
from qgdr_pyserini.collection.training_folder import (
    MANIFEST,
    FoundSource,
    TrainingFolder,
    write_training_folder,
)
from qgdr_pyserini.collection.training_sources.base import TrainingSource, choose_sources
from qgdr_pyserini.errors import QgdrError

NAME = "training-set"

_XQUAD, _XQUAD_FILES = "google/xquad", ["*.parquet"]


@register(
    NAME,
    "what 'qgdr train' takes, from SQuAD, MKQA, AfriQA, XOR-TyDi, NTREX-128, Tatoeba and others; DIR holds a "
    "folder for each (docs/how-to/training.md); hub:DIR takes from the hub what DIR lacks",
    options=("languages", "exclude", "only"),
)
def build_training_set(request: BuildRequest, fetch: Fetch = fetch_files) -> TrainingFolder:
    """Build a training folder of the sources that are there.

    Parameters
    ----------
    request
        ``source`` has a folder for each source, called as that; ``hub`` fetches those that are on the
        hub, and ``hub:DIR`` those that DIR has not. ``exclude`` has the files of XQuAD, whose paragraphs
        and questions are left out; if not given, ``xquad/`` in the source, or the hub's.
    fetch
        What fetches files from the hub.

    Raises
    ------
    QgdrError
        If no source is there, a file is malformed, or what stands at ``output`` may not be replaced.
    """
    source = os.fspath(request.needed_source(NAME, "squad/, mkqa/ and others"))
    refuse_output(request.output, overwrite=request.overwrite, manifest=MANIFEST)
    online = source == HUB or source.startswith(f"{HUB}:")
    folder = None if source == HUB else Path(source.removeprefix(f"{HUB}:") if online else source)
    if folder is not None and not folder.is_dir():
        raise QgdrError(f"{folder}: no such directory; name the one that holds squad/, mkqa/ and others")
    chosen = choose_sources(request.only)
    found = [one for item in chosen if (one := _find(item, folder, fetch if online else None, request.only))]
    if not found:
        known = ", ".join(f"{item.name}/" for item in chosen)
        raise QgdrError(
            f"{source}: holds none of {known}; docs/how-to/training.md says what belongs into each"
        )
    return write_training_folder(
        request.output,
        found,
        _exclusion(request, folder, fetch if online else None),
        lambda lang: request.wants(lang) or lang == "en",
        overwrite=request.overwrite,
    )


def absent_sources(built: TrainingFolder, only: Sequence[str]) -> Iterator[TrainingSource]:
    """Give the sources that were asked for and not found."""
    return (item for item in choose_sources(only) if item.name not in built.manifest["sources"])


def _find(
    source: TrainingSource, folder: Path | None, fetch: Fetch | None, only: Sequence[str]
) -> FoundSource | None:
    """Find a source's files: in the folder, otherwise on the hub if that may be asked."""
    files = {} if folder is None else _matching(folder / source.name, source.files, source.name)
    if not files and fetch and (source.name in only or not source.named_only):
        for name, patterns in source.hub:
            files |= _matching(fetch(name, patterns), source.files, name)
    return FoundSource(source, files) if files else None


def _matching(folder: Path, patterns: Sequence[str], name: str) -> dict[str, Path]:
    """List the files that match a pattern, in whatever folders below, by name and sorted."""
    files = (file for file in sorted(folder.rglob("*")) if file.is_file())
    return {
        f"{name}/{file.relative_to(folder).as_posix()}": file
        for file in files
        if any(file.relative_to(folder).match(pattern) for pattern in patterns)
    }


def _exclusion(request: BuildRequest, folder: Path | None, fetch: Fetch | None) -> Exclusion:
    if request.exclude is not None:
        return Exclusion.read(request.exclude)
    if folder is not None and (folder / "xquad").is_dir():
        return Exclusion.read(folder / "xquad")
    return Exclusion.read(fetch(_XQUAD, _XQUAD_FILES)) if fetch else Exclusion()
