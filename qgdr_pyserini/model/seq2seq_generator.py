"""A query generator that is an encoder-decoder, as the paper's mT5."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from transformers import AutoModelForSeq2SeqLM, PreTrainedModel, PreTrainedTokenizerBase

from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.inference.padding import pad
from qgdr_pyserini.model.prompt import Prompt
from qgdr_pyserini.model.query_generator import IGNORED, GeneratedQuery, GeneratorSettings, QueryGenerator
from qgdr_pyserini.model.shared_decoding import SharedDecoder, head_input, head_logits
from qgdr_pyserini.model.teacher import Pair, Query, Scores


class Seq2SeqGenerator(QueryGenerator):
    """Reads the prompt with an encoder and writes the question with a decoder; its end token counts.

    Parameters
    ----------
    model
        Any encoder-decoder of transformers.
    tokenizer, settings, batch_size, memory_mb
        See `QueryGenerator`.

    Raises
    ------
    QgdrError
        If the settings say that the end does not count.
    """

    PROMPT: ClassVar[str] = "Generate a {language} question for this passage: {title} {text}"
    AUTO_MODEL: ClassVar[Any] = AutoModelForSeq2SeqLM

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        settings: GeneratorSettings,
        **options: Any,
    ) -> None:
        if settings.score_end is False:
            raise QgdrError("score_end = false is for causal models; leave it out for an encoder-decoder")
        super().__init__(model, tokenizer, settings, **options)

    @property
    def scores_end(self) -> bool:
        """Whether the end token counts."""
        return True

    def forward(self, prompts: dict[str, torch.Tensor], labels: torch.Tensor) -> torch.Tensor:
        """Score pairs one by one, with gradients; see `QueryGenerator.forward`."""
        given = self.model.prepare_decoder_input_ids_from_labels(labels)
        real = labels != IGNORED
        with head_input(self.model) as hidden:
            self.model(**prompts, decoder_input_ids=given, use_cache=False)
        # The head is the larger part of the work: padding does not go through it.
        logits = head_logits(self.model, hidden[0][real])
        precise = logits.to(torch.promote_types(logits.dtype, torch.float32))
        found = -torch.nn.functional.cross_entropy(precise, labels[real], reduction="none")
        sums = found.new_zeros(len(labels)).index_add(0, real.nonzero()[:, 0], found)
        return sums / real.sum(dim=1)

    @torch.inference_mode()
    def score_pairs(
        self, queries: Sequence[Query], passages: Sequence[Passage], pairs: Sequence[Pair]
    ) -> Scores:
        """Score pairs; each passage is encoded once for every language it is asked about in."""
        scores = np.empty(len(pairs), dtype=np.float32)
        self.refuse_half_precision()
        by_language: dict[str, list[int]] = defaultdict(list)
        for i, pair in enumerate(pairs):
            by_language[queries[pair.query].language].append(i)
        for language, group in by_language.items():
            for rows, found in self._score_language(language, queries, passages, pairs, group):
                scores[rows] = found.float().cpu().numpy()
        return scores

    def collate_texts(
        self, prompts: Sequence[Prompt], targets: Sequence[str], *, end: bool = True
    ) -> dict[str, Any]:
        """Turn prompts and what is to be written for each, row by row, into what `forward` takes."""
        wanted = self.pad(self.tokenize_queries(targets))
        labels = wanted["input_ids"].masked_fill(wanted["attention_mask"] == 0, IGNORED)
        return {"prompts": self.pad(self._cut(prompts)), "labels": labels}

    def tokenize_prompts(self, passages: Iterable[Passage], language: str) -> list[list[int]]:
        """Turn passages into the generator's inputs."""
        return self._cut([self.prompt(passage, language) for passage in passages])

    def tokenize_queries(self, texts: Sequence[str]) -> list[list[int]]:
        """Turn queries into the generator's outputs, the end token included."""
        limit = self.settings.query_max_length
        rows = self.tokenizer(text_target=list(texts), truncation=True, max_length=limit)
        return list(rows["input_ids"])

    def pad(self, rows: Sequence[Sequence[int]]) -> dict[str, torch.Tensor]:
        """Pad rows of tokens on the right to ``input_ids`` and ``attention_mask`` on the model's device."""
        ids, mask = pad(rows, self.tokenizer.pad_token_id, device=self.device)
        return {"input_ids": ids, "attention_mask": mask}

    def _cut(self, prompts: Sequence[Prompt]) -> list[list[int]]:
        if not prompts:
            return []
        limit = self.settings.passage_max_length
        rows = self.tokenizer([prompt.text for prompt in prompts], truncation=True, max_length=limit)
        return list(rows["input_ids"])

    def _score_language(
        self,
        language: str,
        queries: Sequence[Query],
        passages: Sequence[Passage],
        pairs: Sequence[Pair],
        group: Sequence[int],
    ) -> Iterator[tuple[list[int], torch.Tensor]]:
        """Yield places in ``pairs`` with their scores, a batch of passages at a time."""
        asked = sorted({pairs[i].query for i in group})
        cut = self.tokenize_queries([queries[q].text for q in asked])
        targets = {q: torch.tensor(row) for q, row in zip(asked, cut, strict=True)}
        by_passage: dict[int, list[int]] = defaultdict(list)
        for i in group:
            by_passage[pairs[i].passage].append(i)
        prompts = self.tokenize_prompts((passages[p] for p in by_passage), language)
        for batch in _by_length(list(zip(by_passage, prompts, strict=True)), self.batch_size):
            rows = [i for place, _ in batch for i in by_passage[place]]
            owners = [k for k, (place, _) in enumerate(batch) for _ in by_passage[place]]
            wanted = [targets[pairs[i].query] for i in rows]
            decoder = SharedDecoder(
                self.model,
                **self.pad([prompt for _, prompt in batch]),
                start=self._start(wanted[0]),
                memory=self.memory_mb * 2**20,
            )
            yield rows, decoder.log_likelihoods(owners, wanted)

    def _generate(
        self, passages: Sequence[Passage], language: str, n: int, top_k: int
    ) -> Iterator[GeneratedQuery]:
        prompts = list(enumerate(self.tokenize_prompts(passages, language)))
        for start in range(0, len(prompts), self.batch_size):
            batch = prompts[start : start + self.batch_size]
            rows = self.model.generate(
                **self.pad([prompt for _, prompt in batch]),
                do_sample=True,
                top_k=top_k,
                num_beams=1,
                num_return_sequences=n,
                max_new_tokens=self.settings.query_max_length,
            )
            texts = self.tokenizer.batch_decode(rows, skip_special_tokens=True)
            places = [place for place, _ in batch for _ in range(n)]
            for place, text in zip(places, texts, strict=True):
                if text.strip():
                    yield GeneratedQuery(place, language, " ".join(text.split()))

    def _start(self, target: torch.Tensor) -> int:
        shifted = self.model.prepare_decoder_input_ids_from_labels(target.unsqueeze(0).to(self.device))
        return int(shifted[0, 0])


def _by_length(prompts: list[tuple[int, list[int]]], size: int) -> Iterator[list[tuple[int, list[int]]]]:
    """Yield batches of prompts of like length."""
    ordered = sorted(prompts, key=lambda item: len(item[1]))
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]
