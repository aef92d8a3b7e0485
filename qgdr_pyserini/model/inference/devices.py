"""Windows computed on several devices at once, and given back in order."""

from __future__ import annotations

import contextlib
import queue
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import torch

from qgdr_pyserini.encode.reading import TokenWindow
from qgdr_pyserini.encode.vectors import Vectors
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.encoder_options import NOTHING, EncoderOptions
from qgdr_pyserini.model.inference.batching import WindowEncoder
from qgdr_pyserini.model.towers import Tower
from qgdr_pyserini.progress import Advance

Computed = tuple[TokenWindow, Vectors, int]
"""A window, its vectors, and how many tokens its device computes at a time by now."""


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
    windows: Iterable[TokenWindow], models: Sequence[DualEncoder], batch_tokens: int, advance: Advance
) -> Generator[Computed, None, None]:
    """Compute windows, each as a whole on the device that is free first.

    Parameters
    ----------
    windows
        What to encode.
    models
        The same encoder, on each device.
    batch_tokens
        As for `WindowEncoder`.
    advance
        Called with the number of texts of every batch done; of every window where devices are several.

    Yields
    ------
    tuple
        Every window computed, in the order given.
    """
    if len(models) == 1:
        alone = WindowEncoder(models[0], batch_tokens)
        for window in windows:
            yield window, alone.encode(window.tokens, advance), alone.batch_tokens
        return
    for window, vectors, tokens in _compute_on_all(windows, models, batch_tokens):
        advance(len(vectors))
        yield window, vectors, tokens


def _compute_on_all(
    windows: Iterable[TokenWindow], models: Sequence[DualEncoder], batch_tokens: int
) -> Iterator[Computed]:
    idle: queue.SimpleQueue[WindowEncoder] = queue.SimpleQueue()
    for model in models:
        idle.put(WindowEncoder(model, batch_tokens))

    def encode(window: TokenWindow) -> Computed:
        encoder = idle.get()
        try:
            return window, encoder.encode(window.tokens, lambda count: None), encoder.batch_tokens
        finally:
            idle.put(encoder)

    with contextlib.ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(len(models), thread_name_prefix="qgdr-device"))
        waiting: deque[Future[Computed]] = deque()
        stack.callback(lambda: [task.cancel() for task in waiting])
        for window in windows:
            waiting.append(pool.submit(encode, window))
            # Two a device: one being computed, and one for when that is done.
            if len(waiting) >= 2 * len(models):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
