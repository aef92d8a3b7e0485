"""Running Pyserini in processes of its own: without Java settings, without keys, without network."""

import os
import subprocess
import sys
import warnings
from functools import cache
from pathlib import Path

HERE = Path(__file__).resolve().parent
LOOPBACK_ONLY = [sys.executable, str(HERE / "on_loopback.py")]
UNWANTED = {"JAVA_HOME", "OPENAI_API_KEY", "QGDR_PLUGIN", "PYSERINI_CACHE", "HF_HOME", "TRANSFORMERS_CACHE"}


@cache
def isolation() -> tuple[str, ...]:
    """What to put before a command so that it sees the loopback interface only; nothing if that fails."""
    tried = subprocess.run([*LOOPBACK_ONLY, "true"], capture_output=True, check=False)
    if tried.returncode == 0:
        return tuple(LOOPBACK_ONLY)
    warnings.warn("NOT OFFLINE: this machine allows no network namespaces", stacklevel=2)
    return ()


def environment(home: Path, **changes: str) -> dict[str, str]:
    """Return an environment with a home of its own and nothing set that Pyserini or we look at."""
    kept = {name: value for name, value in os.environ.items() if name not in UNWANTED}
    return kept | {"HOME": str(home)} | changes


def python(*arguments: str, cwd: Path, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run Python offline in ``cwd``, which is its home as well."""
    return subprocess.run(
        [*isolation(), sys.executable, *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment(cwd, **changes),
        check=False,
        timeout=300,
    )


def command(*arguments: str, cwd: Path, **changes: str) -> str:
    """Run ``python -m MODULE …`` offline, see that it ends well, and return what it printed."""
    done = python("-m", *arguments, cwd=cwd, **changes)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout
