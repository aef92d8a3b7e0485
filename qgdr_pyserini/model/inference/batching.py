"""Texts encoded in batches of like length, as many tokens at a time as memory holds."""

from __future__ import annotations

import gc
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np
import torch

from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.dual_encoder import DualEncoder, Vectors
from qgdr_pyserini.progress import Advance

# On a CPU, a batch's activations should stay in the cores' caches; a GPU wants to be filled.
_CPU_TOKENS_PER_THREAD = 512
_CPU_LEAST_TOKENS = 1024
_GPU_TOKENS = 65536


# On a CPU torch raises a plain RuntimeError and says so in words only.
_NO_MEMORY = ("can't allocate memory", "not enough memory")

Item = TypeVar("Item")


def windows(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield runs of ``size`` items; the last may be shorter.

    Where a window begins depends on the item's number alone, so batches, and with them the last bits
    of every vector, are the same whether a run was interrupted or not.
    """
    stream = iter(items)
    while window := list(itertools.islice(stream, size)):
        yield window


def batches(lengths: Sequence[int], tokens: int) -> Iterator[list[int]]:
    """Yield the positions of texts of like length, longest first.

    A batch is padded to its longest text, so sorting saves work on padding; and the largest batch
    comes first, so that memory runs out at once or not at all.

    Parameters
    ----------
    lengths
        The texts' lengths in tokens.
    tokens
        Most tokens a batch may hold, padding included; a text that is longer is a batch of its own.

    Examples
    --------
    >>> list(batches([2, 9, 4, 3], tokens=8))
    [[1], [2, 3], [0]]
    """
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    start = 0
    while start < len(order):
        longest = max(1, lengths[order[start]])
        rows = order[start : start + max(1, tokens // longest)]
        yield rows
        start += len(rows)


def automatic_batch_tokens(device: torch.device) -> int:
    """How many tokens to compute at a time on a device."""
    if device.type != "cpu":
        return _GPU_TOKENS
    return max(_CPU_LEAST_TOKENS, _CPU_TOKENS_PER_THREAD * torch.get_num_threads())


class BatchEncoder:
    """Computes vectors in batches of like length, smaller ones when memory runs out.

    Parameters
    ----------
    model
        The encoder, in the precision wanted.
    batch_tokens
        Tokens computed at a time, padding included. Halved for good when memory runs out.
    """

    def __init__(self, model: DualEncoder, batch_tokens: int) -> None:
        self.model = model
        self.batch_tokens = batch_tokens

    def encode(self, tokens: Sequence[Sequence[int]], advance: Advance) -> Vectors:
        """Encode texts.

        Parameters
        ----------
        tokens
            Token numbers of every text, special tokens included.
        advance
            Called with the number of texts of every batch done.

        Returns
        -------
        numpy.ndarray
            float32, ``(texts, dimension)``, in the order given.

        Raises
        ------
        QgdrError
            If memory does not suffice for a single text.
        """
        vectors = np.empty((len(tokens), self.model.dimension), dtype=np.float32)
        for rows in batches([len(text) for text in tokens], self.batch_tokens):
            self._fill(vectors, rows, tokens)
            advance(len(rows))
        return vectors

    def _fill(self, vectors: Vectors, rows: list[int], tokens: Sequence[Sequence[int]]) -> None:
        try:
            vectors[rows] = self.model.encode_tokens([tokens[i] for i in rows])
            return
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        # Outside the handler: the error holds on to the tensors of the batch that failed.
        if len(rows) == 1:
            length = len(tokens[rows[0]])
            raise QgdrError(f"memory is short of one passage of {length} tokens; lower --max-length")
        self.batch_tokens = max(1, min(self.batch_tokens, len(rows) * len(tokens[rows[0]])) // 2)
        _release(self.model.device)
        middle = len(rows) // 2
        self._fill(vectors, rows[:middle], tokens)
        self._fill(vectors, rows[middle:], tokens)


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error says that a device, or the machine, has no memory left."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _NO_MEMORY)


def _release(device: torch.device) -> None:
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
