"""Reading text that may be gzipped, and writing so that nothing is lost."""

from __future__ import annotations

import contextlib
import glob
import gzip
import hashlib
import io
import json
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, TextIO, cast

from qgdr_pyserini.errors import InputError, QgdrError


def read_lines(path: str | os.PathLike[str]) -> Iterator[tuple[int, str]]:
    r"""Yield the lines of a UTF-8 text file, gzipped or not, with their numbers.

    Parameters
    ----------
    path
        The file; a name ending in ``.gz`` is decompressed.

    Yields
    ------
    tuple of int and str
        Line number from 1, and the line without its line end.

    Raises
    ------
    InputError
        If the file is missing, a directory, not UTF-8, or a damaged gzip archive.
    """
    file = Path(path)
    number = 0
    try:
        with _open_binary(file) as raw:
            for number, line in enumerate(raw, 1):
                yield number, line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
    except FileNotFoundError:
        raise InputError("no such file", file) from None
    except IsADirectoryError:
        raise InputError("is a directory; name a file in it", file) from None
    except UnicodeDecodeError as error:
        raise InputError(f"not UTF-8 ({error.reason}); convert it first", file, number) from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"damaged gzip file ({error}); fetch it again", file, number + 1) from None
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror or error})", file) from None


def read_json(path: str | os.PathLike[str]) -> Any:
    """Read a JSON file.

    Raises
    ------
    InputError
        If the file is missing, is not UTF-8 or is not JSON.
    """
    file = Path(path)
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError("no such file", file) from None
    except json.JSONDecodeError as error:
        raise InputError(f"not JSON ({error.msg})", file, error.lineno) from None
    except UnicodeDecodeError as error:
        raise InputError(f"not UTF-8 ({error.reason})", file) from None
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror or error})", file) from None


def checksum(path: str | os.PathLike[str]) -> str:
    """Compute a file's SHA-256, written ``sha256:…`` as manifests and ``reproduce.toml`` list it."""
    with Path(path).open("rb") as raw:
        return f"sha256:{hashlib.file_digest(raw, 'sha256').hexdigest()}"


def digest_files(files: Iterable[Path]) -> str:
    """Digest the names and contents of files."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode())
        with file.open("rb") as raw:
            digest.update(hashlib.file_digest(raw, "sha256").digest())
    return digest.hexdigest()[:16]


def expand_pattern(pattern: str) -> list[str]:
    """List the files that a path or a pattern such as ``runs/run.bm25.*.txt`` means, sorted.

    Raises
    ------
    QgdrError
        If it is a pattern and no file matches.
    """
    if not glob.has_magic(pattern) or Path(pattern).exists():
        return [pattern]
    # `Path.glob` takes no absolute pattern.
    files = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207
    if not files:
        raise QgdrError(f"{pattern}: no file matches; check the path")
    return files


def _open_binary(file: Path) -> IO[bytes]:
    if file.suffix == ".gz":
        return cast(IO[bytes], gzip.open(file, "rb"))
    return file.open("rb")


@contextlib.contextmanager
def atomic_text(path: str | os.PathLike[str]) -> Iterator[TextIO]:
    """Open a UTF-8 text file for writing that appears under its name only when complete.

    Parameters
    ----------
    path
        The final name; missing parent folders are made. A name ending in ``.gz`` is
        compressed, with no time stamp so that equal content gives equal bytes.

    Yields
    ------
    TextIO
        The open temporary file.
    """
    with atomic_bytes(path) as raw:
        if Path(path).suffix == ".gz":
            with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed:
                yield from _as_text(cast(IO[bytes], packed))
        else:
            yield from _as_text(raw)


@contextlib.contextmanager
def atomic_bytes(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Open a file for writing bytes that appears under its name only when complete.

    Parameters
    ----------
    path
        The final name; missing parent folders are made.

    Yields
    ------
    IO of bytes
        The open temporary file.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as raw:
            yield raw
            raw.flush()
            os.fsync(raw.fileno())
        Path(name).chmod(0o666 & ~_umask())
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a name that no file has, to be written by what takes names alone; then rename the file.

    Parameters
    ----------
    path
        The final name; its folder has to be there.

    Yields
    ------
    Path
        The temporary name, beside the final one.
    """
    target = Path(path)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as folder:
        work = Path(folder) / target.name
        yield work
        sync(work)
        work.replace(target)
    sync(target.parent)


def _as_text(raw: IO[bytes]) -> Iterator[TextIO]:
    text = io.TextIOWrapper(raw, encoding="utf-8", newline="\n")
    yield text
    text.flush()
    text.detach()


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


@contextlib.contextmanager
def atomic_directory(path: str | os.PathLike[str], *, overwrite: bool = False) -> Iterator[Path]:
    """Fill a directory under a temporary name and rename it when complete.

    Parameters
    ----------
    path
        The final name.
    overwrite
        Replace what stands there. The old directory stays in place until the new one is whole.

    Yields
    ------
    Path
        The temporary directory, beside the final one.

    Raises
    ------
    QgdrError
        If the target exists with something in it and ``overwrite`` is false, or is a file.
    """
    target = Path(path)
    refuse_existing(target, overwrite=overwrite)
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        yield work
        work.chmod(0o777 & ~_umask())
        _swap(work, target)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise


def refuse_existing(path: str | os.PathLike[str], *, overwrite: bool) -> None:
    """Raise `QgdrError` where writing the directory ``path`` would destroy something unasked."""
    target = Path(path)
    if target.exists() and not target.is_dir():
        raise QgdrError(f"{target}: is a file, not a directory; choose another name")
    if target.is_dir() and any(target.iterdir()) and not overwrite:
        raise QgdrError(f"{target}: already exists; pass --overwrite to replace it, or choose another name")


def put_in_place(work: Path, target: Path) -> None:
    """Rename the directory ``work``, once it is on disk, to ``target``, whose old content goes last."""
    for file in work.iterdir():
        sync(file)
    sync(work)
    _swap(work, target)
    sync(target.parent)


def sync(path: Path) -> None:
    """Wait until a file's content, or a directory's names, are on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _swap(work: Path, target: Path) -> None:
    """Put ``work`` in the place of ``target``; whatever stood there goes last."""
    if not target.exists():
        work.replace(target)
        return
    old = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.old."))
    target.replace(old)
    try:
        work.replace(target)
    except OSError:
        old.replace(target)
        raise
    shutil.rmtree(old)
