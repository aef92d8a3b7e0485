"""The journal of an index in the making: windows of vectors on disk that a killed run leaves whole.

Beside the index ``NAME`` stands the directory ``NAME.partial`` with ``vectors.f32``, ``docid``, where
passages are stored ``texts.jsonl``, and ``journal.jsonl``. The journal's first line says what is being made
(the job), every further line vouches for one window: how long the other files are with it, and its
checksums; or it changes the job. A window's data are on disk before its line is, so whatever stands behind
the last whole line is the remains of an interrupted write and is cut off.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.encode.truncation import Truncation, total
from qgdr_pyserini.errors import InputError, QgdrError
from qgdr_pyserini.files import read_lines, sync
from qgdr_pyserini.model.dual_encoder import Vectors

VECTORS = "vectors.f32"
DOCIDS = "docid"
TEXTS = "texts.jsonl"
JOURNAL = "journal.jsonl"
FILES = "files"
STORE = "store"
"""The job's key for the file that is to hold the passages; None where none is."""

_BLOCK = 1 << 24
# Every line about a window has it; another line changes the job.
_PASSAGES = "passages"


@dataclasses.dataclass(frozen=True, slots=True)
class WindowRecord:
    """What the journal says of one window.

    Parameters
    ----------
    passages
        How many passages it holds.
    contents
        Digest of their ids and texts.
    vectors, ids
        CRC-32 of its part of the two files.
    ids_bytes
        Length of its part of the id file.
    batch_tokens
        Tokens to be computed at a time from here on.
    texts, texts_bytes
        CRC-32 and length of its part of the texts, where passages are stored.
    cut, lost, tokens
        The window's `Truncation`: passages cut, tokens lost, tokens before; None in a journal that was begun
        before this was counted.
    """

    passages: int
    contents: str
    vectors: int
    ids: int
    ids_bytes: int
    batch_tokens: int
    texts: int = 0
    texts_bytes: int = 0
    cut: int | None = None
    lost: int | None = None
    tokens: int | None = None

    @property
    def truncation(self) -> Truncation | None:
        """What was cut off the window's passages, where it is known."""
        if self.cut is None or self.lost is None or self.tokens is None:
            return None
        return Truncation(self.cut, self.lost, self.tokens)


class Journal:
    """Vectors and ids that are appended window by window, each window whole or not there at all.

    Use `begin` or `resume`.

    Parameters
    ----------
    folder
        The directory.
    job
        What is being made.
    windows
        What is there already.
    """

    def __init__(self, folder: Path, job: dict[str, Any], windows: list[WindowRecord]) -> None:
        self.folder = folder
        self.job = job
        self.windows = windows
        names = (VECTORS, DOCIDS, *((TEXTS,) if job.get(STORE) else ()), JOURNAL)
        self._files = {name: _Appended(folder / name) for name in names}

    @classmethod
    def begin(cls, folder: Path, job: dict[str, Any]) -> Journal:
        """Start anew, in place of whatever is there."""
        cls.sweep(folder)
        folder.mkdir(parents=True)
        work = cls(folder, job, [])
        work._files[JOURNAL].append(_line(job))
        sync(folder)
        sync(folder.parent)
        return work

    @staticmethod
    def stands_at(folder: Path) -> bool:
        """Whether there is work to take up: a journal that has at least its first line."""
        try:
            with (folder / JOURNAL).open("rb") as file:
                return _whole(file.readline())
        except FileNotFoundError:
            return False

    @staticmethod
    def sweep(folder: Path) -> None:
        """Delete what is there without a journal, as a run leaves it that was killed while clearing up."""
        shutil.rmtree(folder, ignore_errors=True)

    @classmethod
    def resume(cls, folder: Path) -> Journal:
        """Take up what a run left.

        Raises
        ------
        InputError
            If the data are not what the journal says.
        """
        job, windows = _read_journal(folder / JOURNAL)
        work = cls(folder, job, windows)
        work._check()
        return work

    @property
    def count(self) -> int:
        """Number of passages that are safe."""
        return sum(window.passages for window in self.windows)

    @property
    def contents(self) -> str:
        """Digest of all passages encoded."""
        together = "".join(window.contents for window in self.windows)
        return hashlib.sha256(together.encode()).hexdigest()[:32]

    @property
    def truncation(self) -> Truncation | None:
        """What was cut off all passages encoded; None if it is not known of all."""
        return total([window.truncation for window in self.windows])

    def append(
        self,
        passages: Sequence[Passage],
        vectors: Vectors,
        contents: str,
        batch_tokens: int,
        truncation: Truncation,
    ) -> None:
        """Add a window; when this returns, no crash can take it.

        Raises
        ------
        QgdrError
            If a vector is not finite, or nothing more can be written.
        """
        ids = [item.docid for item in passages]
        refuse_not_finite(ids, vectors)
        data = np.ascontiguousarray(vectors, dtype=np.float32).tobytes()
        names = "".join(f"{docid}\n" for docid in ids).encode()
        texts = b"".join(_line([item.title, item.text]) for item in passages) if TEXTS in self._files else b""
        window = WindowRecord(
            len(ids),
            contents,
            zlib.crc32(data),
            zlib.crc32(names),
            len(names),
            batch_tokens,
            zlib.crc32(texts),
            len(texts),
            truncation.passages,
            truncation.lost,
            truncation.tokens,
        )
        self._files[VECTORS].append(data)
        self._files[DOCIDS].append(names)
        if texts:
            self._files[TEXTS].append(texts)
        self._files[JOURNAL].append(_line(dataclasses.asdict(window)))
        self.windows.append(window)

    def note(self, **changes: object) -> None:
        """Note what is being made otherwise from here on, by the job's keys."""
        self.job |= changes
        self._files[JOURNAL].append(_line(changes))

    def mapped(self) -> Vectors:
        """View all vectors ``(count, dimension)``, read from disk as they are used."""
        shape = (self.count, int(self.job["dimension"]))
        if not self.count:
            return np.empty(shape, dtype=np.float32)
        return np.memmap(self.folder / VECTORS, dtype=np.float32, mode="r", shape=shape)

    def passages(self) -> Iterator[Passage]:
        """Stream the passages encoded, read from disk; only where they are stored."""
        docids = read_lines(self.folder / DOCIDS)
        texts = read_lines(self.folder / TEXTS)
        for (_, docid), (_, line) in zip(docids, texts, strict=True):
            title, text = json.loads(line)
            yield Passage(docid, title, text)

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()

    def remove(self) -> None:
        """Delete the directory, when the index is in its place or nothing is worth keeping."""
        self.close()
        # The journal goes first: one that vouched for files that are gone already could not be taken up.
        (self.folder / JOURNAL).unlink(missing_ok=True)
        self.sweep(self.folder)

    def _check(self) -> None:
        """Compare every window with its checksums, and cut off what stands behind the last."""
        width = 4 * int(self.job["dimension"])
        vectors = [(window.passages * width, window.vectors) for window in self.windows]
        ids = [(window.ids_bytes, window.ids) for window in self.windows]
        texts = [(window.texts_bytes, window.texts) for window in self.windows]
        for name, parts in ((VECTORS, vectors), (DOCIDS, ids), (TEXTS, texts)):
            if name not in self._files:
                continue
            path = self.folder / name
            for number, ((_, expected), found) in enumerate(
                zip(parts, _checksums(path, [length for length, _ in parts]), strict=True)
            ):
                if expected != found:
                    raise InputError(self._damage(number), path)
            self._files[name].truncate(sum(length for length, _ in parts))

    def _damage(self, number: int) -> str:
        first = sum(window.passages for window in self.windows[:number]) + 1
        last = first + self.windows[number].passages - 1
        return f"damaged in passages {first:,} to {last:,}; restore the file, or start again with --overwrite"


class _Appended:
    """A file that is written at its end, and is on disk when `append` returns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("ab", buffering=0)

    def append(self, data: bytes) -> None:
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[self._file.write(rest) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            raise QgdrError(
                f"{self.path}: {error.strerror}; make room, then go on with --resume (nothing done is lost)"
            ) from None

    def truncate(self, length: int) -> None:
        self._file.truncate(length)
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


def refuse_not_finite(ids: Sequence[str], vectors: Vectors) -> None:
    """Raise `QgdrError` if a vector holds NaN or infinity, which no search would ever find."""
    broken = ~np.isfinite(vectors).all(axis=1)
    if broken.any():
        raise QgdrError(
            f"the encoder's vector for passage {ids[int(broken.argmax())]!r} holds NaN or infinity; "
            "check the encoder's weights"
        )


def _line(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"


def _read_journal(path: Path) -> tuple[dict[str, Any], list[WindowRecord]]:
    """Read the job and the windows; a torn last line is cut off the file."""
    lines = path.read_bytes().splitlines(keepends=True)
    if not _whole(lines[-1]):
        os.truncate(path, sum(map(len, lines[:-1])))
        del lines[-1]
    try:
        job, *records = map(json.loads, lines)
        for record in records:
            job |= {} if _PASSAGES in record else record
        return job, [WindowRecord(**record) for record in records if _PASSAGES in record]
    except (ValueError, TypeError):
        raise InputError("damaged; restore the file, or start again with --overwrite", path) from None


def _whole(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return line.endswith(b"\n")


def _checksums(path: Path, lengths: Sequence[int]) -> Iterator[int]:
    """Yield the CRC-32 of consecutive parts of a file."""
    with path.open("rb") as file:
        for length in lengths:
            checksum = 0
            while length and (block := file.read(min(length, _BLOCK))):
                checksum = zlib.crc32(block, checksum)
                length -= len(block)
            yield checksum if not length else -1
