"""Making the next items of an iteration while the present one is used."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


@contextlib.contextmanager
def prefetch(items: Iterable[Item], depth: int = 2) -> Iterator[Iterator[Item]]:
    """Run an iteration in a thread of its own.

    It pays where making an item releases Python's lock, as reading, unpacking and tokenising do.

    Parameters
    ----------
    items
        What is iterated over, in the thread.
    depth
        Items made but not yet used; the thread waits when there are as many.

    Yields
    ------
    iterator
        The same items in the same order. What iterating raised is raised here, after the items before
        it. The thread has ended when the block has.

    Examples
    --------
    >>> with prefetch(range(3)) as numbers:
    ...     list(numbers)
    [0, 1, 2]
    """
    worker = _Worker(items, depth)
    worker.start()
    try:
        yield worker.results()
    finally:
        worker.stop()


class _Worker(threading.Thread, Generic[Item]):
    def __init__(self, items: Iterable[Item], depth: int) -> None:
        super().__init__(name="qgdr-prefetch", daemon=True)
        self._items = items
        self._queue: queue.Queue[Item | None] = queue.Queue(depth)
        self._stopped = threading.Event()
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            for item in self._items:
                self._put(item)
                if self._stopped.is_set():
                    return
        except BaseException as error:  # raised again where the items are used
            self._error = error
        self._put(None)

    def results(self) -> Iterator[Item]:
        while (item := self._queue.get()) is not None:
            yield item
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        self._stopped.set()
        self.join()

    def _put(self, item: Item | None) -> None:
        while not self._stopped.is_set():
            with contextlib.suppress(queue.Full):
                self._queue.put(item, timeout=0.1)
                return
