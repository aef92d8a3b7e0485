"""The passages of an index, on disk beside it: read by row or id, whatever the size of the corpus."""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.errors import InputError, QgdrError

PASSAGES = "passages.sqlite"
"""What the store's file is called in the folder of an index."""

_APPLICATION = int.from_bytes(b"qgdr", "big")
_FORMAT = 1
_AT_ONCE = 500
_SHAPE = f"""
pragma page_size = 4096;
pragma encoding = 'UTF-8';
pragma journal_mode = off;
pragma synchronous = off;
pragma application_id = {_APPLICATION};
pragma user_version = {_FORMAT};
create table passages (
    row integer primary key, docid text not null, title text not null, text text not null
);
"""
_COLUMNS = "select row, docid, title, text from passages"


class PassageWriter:
    """Writes a store, once, from its first passage to its last; equal passages give equal bytes.

    A crash leaves a file that is not a store: write under a temporary name. Use it as a context manager.

    Parameters
    ----------
    path
        The file, which must not exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._count = 0
        with self._one_line():
            self._connection = sqlite3.connect(path, isolation_level=None)
            self._connection.executescript(_SHAPE)
            self._connection.execute("begin")

    def append(self, passages: Iterable[Passage]) -> None:
        """Add passages; their rows are counted from 0."""
        self.put(enumerate(passages, self._count))

    def put(self, passages: Iterable[tuple[int, Passage]]) -> None:
        """Add passages with the rows that they stand in.

        Raises
        ------
        QgdrError
            If nothing more can be written.
        """
        rows = ((row, item.docid, item.title, item.text) for row, item in passages)
        with self._one_line():
            cursor = self._connection.executemany("insert into passages values (?, ?, ?, ?)", rows)
        self._count += cursor.rowcount

    def finish(self) -> None:
        """Index the ids and end the file.

        Raises
        ------
        QgdrError
            If an id is there twice, or nothing more can be written.
        """
        with self._one_line():
            self._connection.execute("create unique index docids on passages (docid)")
            self._connection.execute("commit")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.finish()
        finally:
            self._connection.close()

    @contextlib.contextmanager
    def _one_line(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise QgdrError(f"{self._path}: {error}; see to room on the disk, then try again") from None


def write_store(path: Path, passages: Iterable[Passage]) -> None:
    """Write a store of passages, whose rows are counted from 0; see `PassageWriter`."""
    with PassageWriter(path) as writer:
        writer.append(passages)


class PassageStore:
    """The passages of an index, by their rows in it or their ids. Several threads may ask at once.

    Parameters
    ----------
    path
        What `PassageWriter` wrote; never changed.

    Raises
    ------
    InputError
        If it is missing, or no store.

    Examples
    --------
    >>> import tempfile
    >>> place = Path(tempfile.mkdtemp()) / "passages.sqlite"
    >>> write_store(place, [Passage("d7", "Danube", "It rises in the Black Forest.")])
    >>> store = PassageStore(place)
    >>> store.at([0])[0].title, {docid: found.text for docid, found in store.find(["d7", "d8"]).items()}
    ('Danube', {'d7': 'It rises in the Black Forest.'})
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        if not path.is_file():
            raise InputError("no such file", path)
        # Nothing ever writes it, so neither locks nor a journal are looked for.
        place = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
        self._connection = sqlite3.connect(place, uri=True, check_same_thread=False)
        found = tuple(self._ask(f"pragma {name}")[0][0] for name in ("application_id", "user_version"))
        if found != (_APPLICATION, _FORMAT):
            self.close()
            raise InputError("not a store of passages that this version reads; encode the corpus again", path)

    def __len__(self) -> int:
        return int(self._ask("select coalesce(max(row) + 1, 0) from passages")[0][0])

    def at(self, rows: Sequence[int]) -> list[Passage]:
        """Return the passages in some rows, in that order.

        Raises
        ------
        InputError
            If there is no such row.
        """
        found = {row: Passage(docid, title, text) for row, docid, title, text in self._select("row", rows)}
        for row in rows:
            if row not in found:
                raise InputError(
                    f"has no row {row}, which the index has; encode the corpus again", self._path
                )
        return [found[row] for row in rows]

    def find(self, docids: Sequence[str]) -> dict[str, Passage]:
        """Return passages by id; ids that are not there are left out."""
        found = self._select("docid", docids)
        return {docid: Passage(docid, title, text) for _, docid, title, text in found}

    def __iter__(self) -> Iterator[Passage]:
        """Stream all passages in the order of their rows."""
        last = -1
        while rows := self._ask(f"{_COLUMNS} where row > ? order by row limit {_AT_ONCE}", (last,)):
            yield from (Passage(docid, title, text) for _, docid, title, text in rows)
            last = rows[-1][0]

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _select(self, column: str, values: Sequence[int | str]) -> Iterator[tuple[int, str, str, str]]:
        for start in range(0, len(values), _AT_ONCE):
            some = values[start : start + _AT_ONCE]
            marks = ",".join("?" * len(some))
            yield from self._ask(f"{_COLUMNS} where {column} in ({marks})", some)

    def _ask(self, query: str, values: Sequence[int | str] = ()) -> list[tuple[int, str, str, str]]:
        try:
            with self._lock:
                return self._connection.execute(query, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise InputError(f"damaged ({error}); encode the corpus again", self._path) from None


def store_of_corpus(path: Path, passages: Iterable[Passage], docids: Iterable[str], corpus: object) -> None:
    """Write the store of an index that has none, from the corpus it was made of.

    Parameters
    ----------
    path
        The store to write; see `PassageWriter`.
    passages
        The corpus, in any order; what is not in the index is passed over.
    docids
        The ids in the index, in the order of its rows.
    corpus
        What to call the corpus.

    Raises
    ------
    QgdrError
        If the corpus lacks a passage of the index.
    """
    rows = {docid: row for row, docid in enumerate(docids)}

    def taken() -> Iterator[tuple[int, Passage]]:
        for item in passages:
            row = rows.pop(item.docid, None)
            if row is not None:
                yield row, item

    with PassageWriter(path) as writer:
        # As many at a time as keep memory small.
        stream = taken()
        while some := list(itertools.islice(stream, _AT_ONCE)):
            writer.put(some)
        if rows:
            missing = next(iter(rows))
            raise QgdrError(f"{corpus}: has no passage {missing!r}, which the index has; name its own corpus")
