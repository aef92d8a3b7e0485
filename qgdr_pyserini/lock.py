"""One writer at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from qgdr_pyserini.errors import QgdrError


@contextlib.contextmanager
def only_writer(target: Path) -> Iterator[None]:
    """Hold the right to write ``target`` while the block runs.

    The lock is the operating system's, on a file beside the target: it goes with the process, however
    that ends.

    Raises
    ------
    QgdrError
        If another process holds it.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    path = target.parent / f".{target.name}.lock"
    handle = _lock(path, target)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


def _lock(path: Path, target: Path) -> int:
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise QgdrError(f"{target}: another process is writing it; wait for that one to end") from None
        if _still_there(handle, path):
            return handle
        os.close(handle)  # its last holder removed the file between our opening and locking it


def _still_there(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False
