"""The sample collection that ships with the package."""

from __future__ import annotations

import importlib.resources
import os

from qgdr_pyserini.collection.collection import Collection, refuse_output
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.files import atomic_directory

SUFFIXES = (".json", ".jsonl", ".tsv", ".txt")


def build_sample(
    source: str | os.PathLike[str] | None, output: str | os.PathLike[str], *, overwrite: bool = False
) -> Collection:
    """Copy the sample collection out of the package.

    Parameters
    ----------
    source
        None: it has no other source than the package.
    output
        The collection's directory.
    overwrite
        Replace a collection that stands there.

    Raises
    ------
    QgdrError
        If a source is given, or something stands at ``output`` that may not be replaced.
    """
    if source is not None:
        raise QgdrError("sample ships with the package; leave out --source")
    refuse_output(output, overwrite=overwrite)
    folder = importlib.resources.files("qgdr_pyserini.collection") / "sample"
    with atomic_directory(output, overwrite=overwrite) as work:
        for file in folder.iterdir():
            if file.name.endswith(SUFFIXES):
                (work / file.name).write_bytes(file.read_bytes())
    return Collection.open(output)
