"""A query generator that is a causal language model, such as Qwen, Llama or Gemma."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerBase

from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.model.causal_sampling import sample_lines
from qgdr_pyserini.model.causal_states import hidden_states, log_probabilities
from qgdr_pyserini.model.causal_tokens import CausalTokens
from qgdr_pyserini.model.inference.padding import pad
from qgdr_pyserini.model.prefix_cache import (
    Continuation,
    PrefixCache,
    Tokens,
    bytes_a_token,
    can_share_prefixes,
)
from qgdr_pyserini.model.prompt import Prompt
from qgdr_pyserini.model.query_generator import IGNORED, GeneratedQuery, GeneratorSettings, QueryGenerator
from qgdr_pyserini.model.teacher import Pair, Query, Scores

_ALL_AT_ONCE = 2**62


class CausalGenerator(QueryGenerator):
    """Reads the prompt and goes on with the question; untrained, it already tells passages apart.

    What is the same for many questions, a passage and the prompt's words up to the language, runs once;
    its keys and values serve the questions in all languages.

    Parameters
    ----------
    model
        Any decoder-only model of transformers.
    tokenizer, settings, batch_size, memory_mb
        See `QueryGenerator`.

    Raises
    ------
    QgdrError
        If the tokenizer has no end token.
    """

    PROMPT: ClassVar[str] = "Passage: {title}\n{text}\nA question in {language} about this passage:"
    AUTO_MODEL: ClassVar[Any] = AutoModelForCausalLM

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        settings: GeneratorSettings,
        **options: Any,
    ) -> None:
        super().__init__(model, tokenizer, settings, **options)
        self._tokens = CausalTokens(tokenizer)

    @property
    def scores_end(self) -> bool:
        """Whether the end token counts; by default it does not."""
        return bool(self.settings.score_end)

    def forward(self, prompts: dict[str, torch.Tensor], labels: torch.Tensor) -> torch.Tensor:
        """Score pairs one by one, with gradients; see `QueryGenerator.forward`. Prompts end in one column."""
        real = labels != IGNORED
        given = torch.cat([prompts["input_ids"], labels.masked_fill(~real, 0)[:, :-1]], dim=1)
        mask = torch.cat([prompts["attention_mask"], real[:, :-1]], dim=1)
        first = prompts["input_ids"].shape[1] - 1
        states = hidden_states(self.model, given, mask)[:, first : first + labels.shape[1]]
        # The head is a large part of the work: padding does not go through it.
        found = log_probabilities(self.model, states[real], labels[real], _ALL_AT_ONCE)
        sums = found.new_zeros(len(labels)).index_add(0, real.nonzero()[:, 0], found)
        return sums / real.sum(dim=1).clamp(min=1)

    @torch.inference_mode()
    def score_pairs(
        self, queries: Sequence[Query], passages: Sequence[Passage], pairs: Sequence[Pair]
    ) -> Scores:
        """Score pairs; each passage runs through the model once, for all languages it is asked about in."""
        self.refuse_half_precision()
        scores = np.empty(len(pairs), dtype=np.float32)
        for rows, prefixes, continuations in self._batches(queries, passages, pairs):
            scores[rows] = self._score(prefixes, continuations).float().cpu().numpy()
        return scores

    def collate_texts(
        self, prompts: Sequence[Prompt], targets: Sequence[str], *, end: bool = True
    ) -> dict[str, Any]:
        """Turn prompts and what is to be written for each, row by row, into what `forward` takes."""
        ids, real = pad(self._questions(targets, end=end), device=self.device)
        return {"prompts": self._pad_prompts(prompts), "labels": ids.masked_fill(real == 0, IGNORED)}

    def _batches(
        self, queries: Sequence[Query], passages: Sequence[Passage], pairs: Sequence[Pair]
    ) -> Iterator[tuple[list[int], list[Tokens], list[Continuation]]]:
        """Yield places in ``pairs``, the prefixes that they share, and what goes on from these."""
        prompts = {
            (p, language): self.prompt(passages[p], language)
            for p, language in dict.fromkeys((pair.passage, queries[pair.query].language) for pair in pairs)
        }
        sharing: dict[tuple[str, str], list[int]] = defaultdict(list)
        asked = [prompts[pair.passage, queries[pair.query].language] for pair in pairs]
        for i, prompt in enumerate(asked):
            sharing[prompt.passage, prompt.after].append(i)
        tails = self._tails(asked)
        used = sorted({pair.query for pair in pairs})
        questions = dict(
            zip(used, self._questions([queries[q].text for q in used], end=self.scores_end), strict=True)
        )
        prefixes = self._prefixes([asked[rows[0]] for rows in sharing.values()])
        for batch in self._by_length(list(zip(prefixes, sharing.values(), strict=True))):
            rows = [i for _, group in batch for i in group]
            owners = [k for k, (_, group) in enumerate(batch) for _ in group]
            yield (
                rows,
                [prefix for prefix, _ in batch],
                [
                    Continuation(k, tails[asked[i].tail], questions[pairs[i].query])
                    for k, i in zip(owners, rows, strict=True)
                ],
            )

    def _score(self, prefixes: list[Tokens], continuations: list[Continuation]) -> torch.Tensor:
        memory = self.memory_mb * 2**20
        if not can_share_prefixes(self.model):
            joined = [one._replace(prefix=0, given=prefixes[one.prefix] + one.given) for one in continuations]
            return PrefixCache(self.model, [[]], memory).log_likelihoods(joined)
        if not all(one.given for one in continuations):
            # Some token has to foretell a question's first one: the prefix's last is read for each of them.
            continuations = [
                one._replace(given=prefixes[one.prefix][-1:] + one.given) for one in continuations
            ]
            prefixes = [prefix[:-1] for prefix in prefixes]
        return PrefixCache(self.model, prefixes, memory).log_likelihoods(continuations)

    def _by_length(self, groups: list[tuple[Tokens, list[int]]]) -> Iterator[list[tuple[Tokens, list[int]]]]:
        """Yield batches of prefixes of like length, as many at a time as memory allows."""
        ordered = sorted(groups, key=lambda group: len(group[0]), reverse=True)
        each = bytes_a_token(self.model) if can_share_prefixes(self.model) and groups else 0
        while ordered:
            fit = self.memory_mb * 2**20 // max(1, each * len(ordered[0][0]))
            size = max(1, min(self.batch_size, fit))
            yield ordered[:size]
            ordered = ordered[size:]

    def _generate(
        self, passages: Sequence[Passage], language: str, n: int, top_k: int
    ) -> Iterator[GeneratedQuery]:
        prompts = [self.prompt(passage, language) for passage in passages]
        for start in range(0, len(prompts), self.batch_size):
            batch = prompts[start : start + self.batch_size]
            texts = sample_lines(
                self.model,
                self.tokenizer,
                self._pad_prompts(batch),
                n=n,
                top_k=top_k,
                limit=self.settings.query_max_length,
                end=self._tokens.end,
            )
            places = [start + i for i in range(len(batch)) for _ in range(n)]
            yield from (GeneratedQuery(p, language, t) for p, t in zip(places, texts, strict=True) if t)

    def _prefixes(self, prompts: Sequence[Prompt]) -> list[Tokens]:
        return self._tokens.prefixes(prompts, self.settings.passage_max_length)

    def _tails(self, prompts: Sequence[Prompt]) -> dict[str, Tokens]:
        tails = sorted({prompt.tail for prompt in prompts})
        return dict(zip(tails, self._tokens.tails(tails), strict=True))

    def _questions(self, texts: Sequence[str], *, end: bool) -> list[Tokens]:
        template = self.settings.prompt or self.PROMPT
        limit = self.settings.query_max_length
        return self._tokens.questions(texts, limit, after_space=not template[-1:].isspace(), end=end)

    def _pad_prompts(self, prompts: Sequence[Prompt]) -> dict[str, torch.Tensor]:
        tails = self._tails(prompts)
        rows = [
            prefix + tails[prompt.tail]
            for prefix, prompt in zip(self._prefixes(prompts), prompts, strict=True)
        ]
        ids, mask = pad(rows, left=True, device=self.device)
        return {"input_ids": ids, "attention_mask": mask}
