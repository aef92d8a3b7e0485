"""One writer at a time."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from qgdr_pyserini.errors import QgdrError


@contextlib.contextmanager
def only_writer(target: Path) -> Iterator[None]:
    """Hold the right to write ``target`` while the block runs.

    The lock is the operating system's, on a file beside the target that names its holder: it goes with the
    process, however that ends.

    Raises
    ------
    QgdrError
        If another process holds it.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    path = target.parent / f".{target.name}.lock"
    lock = FileLock(path, fallback_to_soft=False)  # a lock that outlives its process is worse than none
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise QgdrError(
            f"{target}: another process is writing it{_holder(path)}; wait for that one to end"
        ) from None
    try:
        with contextlib.suppress(OSError):  # a full disk is told by what is written next
            path.write_text(f"process {os.getpid()} on {socket.gethostname()}\n", encoding="utf-8")
        yield
    finally:
        # Before it is released: whoever opened it meanwhile sees that it is gone, and makes another.
        with contextlib.suppress(OSError):
            path.unlink()
        lock.release()


def _holder(path: Path) -> str:
    """Say who holds a lock, where its file can be read."""
    try:
        holder = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
    return f" ({holder})" if holder else ""
