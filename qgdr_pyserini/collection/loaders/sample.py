"""The sample collection that ships with the package."""

from __future__ import annotations

import importlib.resources

from qgdr_pyserini.collection.collection import Collection, refuse_output
from qgdr_pyserini.collection.loaders.base import BuildRequest, register
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.files import atomic_directory

SUFFIXES = (".json", ".jsonl", ".tsv", ".txt")


@register(
    "sample",
    "the small collection that ships with the package (no --source)",
)
def build_sample(request: BuildRequest) -> Collection:
    """Copy the sample collection out of the package.

    Parameters
    ----------
    request
        Without ``source``: there is no other than the package.

    Raises
    ------
    QgdrError
        If a source is given, or something stands at ``output`` that may not be replaced.
    """
    if request.source is not None:
        raise QgdrError("sample ships with the package; leave out --source")
    refuse_output(request.output, overwrite=request.overwrite)
    folder = importlib.resources.files("qgdr_pyserini.collection") / "sample"
    with atomic_directory(request.output, overwrite=request.overwrite) as work:
        for file in folder.iterdir():
            if file.name.endswith(SUFFIXES):
                (work / file.name).write_bytes(file.read_bytes())
    return Collection.open(request.output)
