"""Batches of texts and what an English encoder reads in their place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from qgdr_pyserini.train.chunks import Features, in_chunks
from qgdr_pyserini.train.pair_settings import SourceSettings
from qgdr_pyserini.train.pairs import Pair, PairSource, draw_batch

_TOKENS = 2048


class TranslationBatches(torch.utils.data.Dataset[dict[str, Any]]):
    """One batch a step, from one source; it depends on the seed and on its number only.

    Parameters
    ----------
    sources
        Where pairs come from, each with its weight and batch size.
    student, english
        Tokenizers of the student and of the English encoder.
    lengths
        Longest text of a query and of a passage, in subwords.
    passages
        Contents of the passages, whose vectors are known by their number.
    steps
        Number of batches.
    seed
        Of all drawing.
    """

    def __init__(
        self,
        sources: Sequence[tuple[PairSource, SourceSettings]],
        student: PreTrainedTokenizerBase,
        english: PreTrainedTokenizerBase,
        lengths: tuple[int, int],
        passages: Iterable[str],
        steps: int,
        seed: int,
    ) -> None:
        self._sources = sources
        self._student, self._english = student, english
        self._lengths = lengths
        self._passages = {text: number for number, text in enumerate(passages)}
        self._steps, self._seed = steps, seed

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, step: int) -> dict[str, Any]:
        """Draw a batch.

        Returns
        -------
        dict
            ``texts`` and ``english``: chunks; ``order`` and ``english_order``: the pair of each row of
            them; ``passages``: the number of each pair's passage, -1 for pairs whose English is encoded;
            ``same``: whether a pair's two sides mean the same; ``keys``: equal for pairs that are not each
            other's negatives.
        """
        pairs = draw_batch(self._sources, np.random.default_rng([self._seed, step]))
        known = [self._passages.get(pair.passage, -1) for pair in pairs]
        texts, order = self._chunks(self._student, [(i, pair.query) for i, pair in enumerate(pairs)], pairs)
        unknown = [(i, pair.passage) for i, pair in enumerate(pairs) if known[i] < 0]
        english, english_order = self._chunks(self._english, unknown, pairs)
        _, keys = np.unique([pair.key for pair in pairs], return_inverse=True)
        same = [known[i] < 0 or pair.query == pair.passage for i, pair in enumerate(pairs)]
        return {
            "texts": texts,
            "order": order,
            "english": english,
            "english_order": english_order,
            "passages": torch.tensor(known),
            "same": torch.tensor(same),
            "keys": torch.from_numpy(keys),
        }

    def _chunks(
        self, tokenizer: PreTrainedTokenizerBase, texts: Sequence[tuple[int, str]], pairs: Sequence[Pair]
    ) -> tuple[list[Features], torch.Tensor]:
        if not texts:
            return [], torch.empty(0, dtype=torch.int64)
        query, passage = self._lengths
        rows = tokenizer(
            [text for _, text in texts], truncation=True, max_length=passage, return_attention_mask=False
        )["input_ids"]
        rows = [
            row if len(row) <= query or pairs[i].query == pairs[i].passage else [*row[: query - 1], row[-1]]
            for (i, _), row in zip(texts, rows, strict=True)
        ]
        chunks = in_chunks(rows, tokenizer.pad_token_id, _TOKENS)
        return chunks["parts"], torch.tensor([texts[i][0] for i in chunks["order"].tolist()])
