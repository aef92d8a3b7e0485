"""Batches of pairs, each a function of the seed and its number alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from transformers import PreTrainedTokenizerFast

from qgdr_pyserini.train.pair_settings import SourceSettings
from qgdr_pyserini.train.pairs import PairSource, draw_batch

Batch = dict[str, torch.Tensor]


class BagBatches(torch.utils.data.Dataset[Batch]):
    """One batch a step, from one source, as rows of subwords without padding.

    Batch i depends on the seed and on i only, so a resumed run sees what it would have seen.

    Parameters
    ----------
    sources
        Where pairs come from, each with its weight and batch size.
    tokenizer
        Cuts texts into subwords.
    lengths
        Longest query and passage, in subwords.
    recurring
        Passages that come up again and again: cut once, here, instead of in every batch.
    steps
        Number of batches.
    seed
        Of all drawing.
    """

    def __init__(
        self,
        sources: Sequence[tuple[PairSource, SourceSettings]],
        tokenizer: PreTrainedTokenizerFast,
        lengths: tuple[int, int],
        recurring: Sequence[str],
        steps: int,
        seed: int,
    ) -> None:
        self._sources = sources
        self._queries = BagTokenizer(tokenizer, lengths[0])
        self._passages = BagTokenizer(tokenizer, lengths[1], recurring)
        self._steps = steps
        self._seed = seed

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, step: int) -> Batch:
        pairs = draw_batch(self._sources, np.random.default_rng([self._seed, step]))
        _, keys = np.unique([pair.key for pair in pairs], return_inverse=True)
        query_ids, query_offsets = self._queries([pair.query for pair in pairs])
        passage_ids, passage_offsets = self._passages([pair.passage for pair in pairs])
        return {
            "query_ids": query_ids,
            "query_offsets": query_offsets,
            "passage_ids": passage_ids,
            "passage_offsets": passage_offsets,
            "keys": torch.from_numpy(keys),
        }


class BagTokenizer:
    """Cuts texts into subwords and puts them end to end.

    Parameters
    ----------
    tokenizer
        Does the cutting.
    max_length
        Subwords of a text beyond this are left out.
    recurring
        Texts cut once, now.
    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerFast, max_length: int, recurring: Sequence[str] = ()
    ) -> None:
        self._tokenizer = tokenizer
        self._max_length = max_length
        self._known = dict(zip(recurring, self._cut(recurring), strict=True))

    def __call__(self, texts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return ``ids (subwords,)`` and ``offsets (texts,)``, as `torch.nn.EmbeddingBag` takes them."""
        new = [text for text in texts if text not in self._known]
        cut = iter(self._cut(new))
        rows = [self._known[text] if text in self._known else next(cut) for text in texts]
        lengths = [len(row) for row in rows]
        return torch.from_numpy(np.concatenate(rows)), torch.tensor([0, *lengths[:-1]]).cumsum(0)

    def _cut(self, texts: Sequence[str]) -> list[npt.NDArray[np.int64]]:
        if not texts:
            return []
        rows = self._tokenizer(
            list(texts), truncation=True, max_length=self._max_length, return_attention_mask=False
        )
        return [np.array(row, dtype=np.int64) for row in rows["input_ids"]]
