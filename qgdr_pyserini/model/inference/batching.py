"""From the tokens of a window to its vectors."""

from __future__ import annotations

import gc
from collections.abc import Sequence

import numpy as np
import torch

from qgdr_pyserini.encode.vectors import Vectors
from qgdr_pyserini.encode.windows import batches
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.progress import Advance

# On a CPU, a batch's activations should stay in the cores' caches; a GPU wants to be filled.
_CPU_TOKENS_PER_THREAD = 512
_CPU_LEAST_TOKENS = 1024
_GPU_TOKENS = 65536


def automatic_batch_tokens(device: torch.device) -> int:
    """How many tokens to compute at a time on a device."""
    if device.type != "cpu":
        return _GPU_TOKENS
    return max(_CPU_LEAST_TOKENS, _CPU_TOKENS_PER_THREAD * torch.get_num_threads())


class WindowEncoder:
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
        except RuntimeError as error:
            if not _out_of_memory(error):
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


def _out_of_memory(error: RuntimeError) -> bool:
    # On a CPU torch raises a plain RuntimeError and says so in words only.
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def _release(device: torch.device) -> None:
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
