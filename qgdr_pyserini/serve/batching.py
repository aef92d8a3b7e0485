"""What many ask at once, answered together by one thread."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import queue
import threading
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, NamedTuple, TypeVar

Kind = TypeVar("Kind", bound=Hashable)
Item = TypeVar("Item")
Result = TypeVar("Result")


class Busy(Exception):
    """As many wait as may."""


class _Waiting(NamedTuple, Generic[Kind, Item, Result]):
    kind: Kind
    item: Item
    answer: asyncio.Future[Result]
    loop: asyncio.AbstractEventLoop


class Batcher(Generic[Kind, Item, Result]):
    """Has one thread do the work, as much of one kind at a time as is waiting for it.

    While one batch is computed the next gathers; a lone request never waits for company.

    Parameters
    ----------
    work
        Does it: a kind, and items of that kind, to their results in the same order.
    together
        Most items at a time.
    waiting
        Most items that may wait.
    """

    def __init__(
        self,
        work: Callable[[Kind, Sequence[Item]], Sequence[Result]],
        *,
        together: int = 32,
        waiting: int = 256,
    ) -> None:
        self._work = work
        self._together = together
        self._queue: queue.Queue[_Waiting[Kind, Item, Result] | None] = queue.Queue(waiting)
        self._thread = threading.Thread(target=self._run, name="qgdr-batch", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many items wait."""
        return self._queue.qsize()

    async def ask(self, kind: Kind, item: Item) -> Result:
        """Have an item worked on.

        Raises
        ------
        Busy
            If too many wait already.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Result] = loop.create_future()
        try:
            self._queue.put_nowait(_Waiting(kind, item, answer, loop))
        except queue.Full:
            raise Busy from None
        return await answer

    def close(self) -> None:
        """Finish what waits, then end the thread."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            batch, ending = self._gather(first)
            groups: dict[Kind, list[_Waiting[Kind, Item, Result]]] = {}
            for one in batch:
                if not one.answer.cancelled():  # whoever asked may have gone
                    groups.setdefault(one.kind, []).append(one)
            for kind, group in groups.items():
                self._answer(kind, group)
            if ending:
                return

    def _gather(self, first: _Waiting[Kind, Item, Result]) -> tuple[list[_Waiting[Kind, Item, Result]], bool]:
        """Take what is waiting besides the first; tell whether that is the last ever."""
        batch = [first]
        with contextlib.suppress(queue.Empty):
            while len(batch) < self._together:
                following = self._queue.get_nowait()
                if following is None:
                    return batch, True
                batch.append(following)
        return batch, False

    def _answer(self, kind: Kind, group: Sequence[_Waiting[Kind, Item, Result]]) -> None:
        try:
            results = self._work(kind, [one.item for one in group])
        except Exception as error:
            for one in group:
                _settle(one, functools.partial(one.answer.set_exception, error))
            return
        for one, result in zip(group, results, strict=True):
            _settle(one, functools.partial(one.answer.set_result, result))


def _settle(one: _Waiting[Kind, Item, Result], settle: Callable[[], object]) -> None:
    def settle_unless_gone() -> None:
        if not one.answer.done():
            settle()

    with contextlib.suppress(RuntimeError):  # the loop has ended, and nobody waits any more
        one.loop.call_soon_threadsafe(settle_unless_gone)
