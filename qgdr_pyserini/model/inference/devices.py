"""Windows of texts computed on one device or on several at once, and given back in order."""

from __future__ import annotations

import contextlib
import dataclasses
import queue
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol, TypeVar

import numpy as np
import torch

from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.config import NOTHING, EncoderOptions
from qgdr_pyserini.model.dual_encoder import DualEncoder, Vectors
from qgdr_pyserini.model.inference.batching import BatchEncoder, automatic_batch_tokens, windows
from qgdr_pyserini.model.inference.prefetch import prefetch
from qgdr_pyserini.model.towers import Tower
from qgdr_pyserini.progress import Advance

# Passages that are tokenised, sorted by length and computed together where nobody says otherwise.
WINDOW = 1024


class Tokenized(Protocol):
    """A window of texts that are token numbers already."""

    @property
    def tokens(self) -> Sequence[Sequence[int]]:
        """Token numbers of every text, special tokens included."""


Window = TypeVar("Window", bound=Tokenized)


@dataclasses.dataclass(frozen=True, slots=True)
class TokenWindow:
    """A window of texts and nothing else."""

    tokens: list[list[int]]


def device_names(device: str | None) -> list[str]:
    """Split ``cuda:0,cuda:1``; a GPU where there is one when None. A device may be named twice.

    Raises
    ------
    QgdrError
        If a name is empty, or CPU and GPU are mixed, whose vectors differ in the last digits.

    Examples
    --------
    >>> device_names("cuda:0, cuda:1")
    ['cuda:0', 'cuda:1']
    """
    if device is None:
        return ["cuda" if torch.cuda.is_available() else "cpu"]
    names = [name.strip() for name in device.split(",")]
    if not all(names):
        raise QgdrError(f"device {device!r}: a name is empty; write cuda:0,cuda:1")
    if len({name.partition(":")[0] for name in names}) > 1:
        raise QgdrError(f"device {device!r}: vectors of different kinds of device differ; name one kind")
    return names


def load_on_all(tower: Tower, names: Sequence[str], settings: EncoderOptions = NOTHING) -> list[DualEncoder]:
    """Load an encoder on every device; those on the CPU share its threads."""
    if len(names) > 1 and names[0].startswith("cpu"):
        torch.set_num_threads(max(1, torch.get_num_threads() // len(names)))
    return [DualEncoder.from_tower(tower, name, settings) for name in names]


def compute(
    tokenized: Iterable[Window],
    models: Sequence[DualEncoder],
    batch_tokens: int,
    advance: Advance = lambda done: None,
) -> Generator[tuple[Window, Vectors, int], None, None]:
    """Compute windows, each as a whole on the device that is free first.

    Parameters
    ----------
    tokenized
        What to encode, window by window.
    models
        The same encoder, on each device.
    batch_tokens
        As for `BatchEncoder`.
    advance
        Called with the number of texts of every batch done; of every window where devices are several.

    Yields
    ------
    tuple
        Every window in the order given, its vectors, and the tokens computed at a time by now.
    """
    if len(models) == 1:
        alone = BatchEncoder(models[0], batch_tokens)
        for window in tokenized:
            yield window, alone.encode(window.tokens, advance), alone.batch_tokens
        return
    for window, vectors, tokens in _compute_on_all(tokenized, models, batch_tokens):
        advance(len(vectors))
        yield window, vectors, tokens


def _compute_on_all(
    tokenized: Iterable[Window], models: Sequence[DualEncoder], batch_tokens: int
) -> Iterator[tuple[Window, Vectors, int]]:
    idle: queue.SimpleQueue[BatchEncoder] = queue.SimpleQueue()
    for model in models:
        idle.put(BatchEncoder(model, batch_tokens))

    def encode(window: Window) -> tuple[Window, Vectors, int]:
        encoder = idle.get()
        try:
            return window, encoder.encode(window.tokens, lambda count: None), encoder.batch_tokens
        finally:
            idle.put(encoder)

    with contextlib.ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(len(models), thread_name_prefix="qgdr-device"))
        waiting: deque[Future[tuple[Window, Vectors, int]]] = deque()
        stack.callback(lambda: [task.cancel() for task in waiting])
        for window in tokenized:
            waiting.append(pool.submit(encode, window))
            # Two a device: one being computed, and one for when that is done.
            if len(waiting) >= 2 * len(models):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def encode_passages(models: Sequence[DualEncoder], passages: Iterable[Passage]) -> Vectors:
    """Encode passages that are read as a stream, while the next ones are tokenised.

    Parameters
    ----------
    models
        The same encoder, on each device.
    passages
        What to encode, as the encoder's own settings say.

    Returns
    -------
    numpy.ndarray
        float32, ``(passages, dimension)``, in the order given.
    """
    tokenized = (
        TokenWindow(models[0].passage_tokens([item.text for item in window], [item.title for item in window]))
        for window in windows(passages, WINDOW)
    )
    budget = automatic_batch_tokens(models[0].device)
    with prefetch(tokenized) as ahead, contextlib.closing(compute(ahead, models, budget)) as computed:
        found = [vectors for _, vectors, _ in computed]
    return np.concatenate(found) if found else np.empty((0, models[0].dimension), dtype=np.float32)
