"""A query generator that is an encoder-decoder, as the paper's mT5."""

from __future__ import annotations

import contextlib
import copy
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoModelForSeq2SeqLM, PreTrainedModel, PreTrainedTokenizerBase
from transformers.modeling_outputs import BaseModelOutput

from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.padding import pad
from qgdr_pyserini.model.prompt import Prompt
from qgdr_pyserini.model.query_generator import IGNORED, GeneratedQuery, GeneratorSettings, QueryGenerator
from qgdr_pyserini.model.teacher import Pair, Query, Scores


class SharedDecoder:
    """Decodes targets against prompts that are already encoded.

    The encoder's states, their keys and values in every layer of the decoder, and its first step,
    which all targets share, are computed once a prompt. Of the rest, the model's head runs on real
    target tokens only, a chunk at a time, so that no ``(rows, tokens, vocabulary)`` array is held.

    Parameters
    ----------
    model
        Any encoder-decoder of transformers.
    input_ids, attention_mask
        The prompts, ``(prompts, tokens)``.
    start
        The token that decoding starts with.
    memory
        Bytes that decoder caches, and a chunk of logits, may each take.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        start: int,
        memory: int,
    ) -> None:
        self._model = model
        self._mask = attention_mask
        self._memory = memory
        self._states = model.get_encoder()(input_ids=input_ids, attention_mask=attention_mask)[0]
        first = torch.full((len(input_ids), 1), start, device=input_ids.device)
        self._first, self._cache = self._decode(self._states, attention_mask, first, None)

    def log_likelihoods(self, prompts: Sequence[int], targets: Sequence[torch.Tensor]) -> torch.Tensor:
        """Score targets.

        Parameters
        ----------
        prompts
            Which prompt each target belongs to.
        targets
            Token ids, one tensor ``(tokens,)`` each, the end token included.

        Returns
        -------
        torch.Tensor
            The mean log-probability of each target's tokens, ``(targets,)``.
        """
        device = self._states.device
        owners = torch.tensor(prompts, device=device)
        firsts = torch.stack([target[0] for target in targets]).to(device)
        sums = self._log_probabilities(self._first[:, 0], owners, firsts)
        # Targets of like length share a chunk, so that little is computed on padding.
        order = sorted((i for i in range(len(targets)) if len(targets[i]) > 1), key=lambda i: len(targets[i]))
        for start in range(0, len(order), self._rows_at_once):
            rows = order[start : start + self._rows_at_once]
            sums[rows] += self._continue(owners[rows], [targets[i].to(device) for i in rows])
        return sums / torch.tensor([len(target) for target in targets], device=device)

    @property
    def _rows_at_once(self) -> int:
        size: int = sum(tensor.numel() * tensor.element_size() for tensor in _tensors(self._cache))
        return max(1, self._memory * len(self._states) // size)

    def _continue(self, owners: torch.Tensor, targets: list[torch.Tensor]) -> torch.Tensor:
        """Sum the log-probabilities of all tokens but the first, ``(targets,)``."""
        # A copy that shares the tensors, until the next line puts selections in their place.
        cache = copy.deepcopy(self._cache, {id(tensor): tensor for tensor in _tensors(self._cache)})
        cache.batch_select_indices(owners)
        given = pad_sequence([target[:-1] for target in targets], batch_first=True)
        # Of the states only the shape is looked at: their keys and values are in the cache.
        states = self._states[:1].expand(len(owners), -1, -1)
        hidden, _ = self._decode(states, self._mask[owners], given, cache)
        lengths = torch.tensor([len(target) - 1 for target in targets], device=given.device)
        real = torch.arange(given.shape[1], device=given.device) < lengths.unsqueeze(1)
        wanted = torch.cat([target[1:] for target in targets])
        rows = torch.repeat_interleave(torch.arange(len(targets), device=given.device), lengths)
        found = self._log_probabilities(hidden[real], torch.arange(len(wanted), device=given.device), wanted)
        return torch.zeros(len(targets), dtype=found.dtype, device=found.device).index_add(0, rows, found)

    def _log_probabilities(
        self, hidden: torch.Tensor, owners: torch.Tensor, tokens: torch.Tensor
    ) -> torch.Tensor:
        """Look up ``tokens`` in the distributions that ``hidden[owners]`` stands for, ``(tokens,)``."""
        head = self._model.get_output_embeddings()
        precision = torch.promote_types(hidden.dtype, torch.float32)
        found = torch.empty(len(tokens), dtype=precision, device=hidden.device)
        # The logits, and what the softmax makes of them.
        chunk = max(1, self._memory // (2 * head.weight.shape[0] * precision.itemsize))
        for start in range(0, len(hidden), chunk):
            logits = head_logits(self._model, hidden[start : start + chunk])
            here = ((owners >= start) & (owners < start + chunk)).nonzero().squeeze(1)
            rows = owners[here] - start
            normalizers = logits.to(precision).logsumexp(dim=1)
            found[here] = logits[rows, tokens[here]].to(precision) - normalizers[rows]
        return found

    def _decode(
        self, states: torch.Tensor, mask: torch.Tensor, given: torch.Tensor, cache: Any
    ) -> tuple[torch.Tensor, Any]:
        """Run the decoder; return what goes into the model's head, and the cache."""
        with head_input(self._model) as hidden:
            outputs = self._model(
                encoder_outputs=BaseModelOutput(last_hidden_state=states),
                attention_mask=mask,
                decoder_input_ids=given,
                past_key_values=cache,
                use_cache=True,
            )
        return hidden[0], outputs.past_key_values


def _tensors(cache: Any) -> list[torch.Tensor]:
    caches = (cache.self_attention_cache, cache.cross_attention_cache)
    return [tensor for one in caches for layer in one.layers for tensor in (layer.keys, layer.values)]


def head_logits(model: PreTrainedModel, hidden: torch.Tensor) -> torch.Tensor:
    """Compute the logits of what `head_input` caught, ``(rows, vocabulary)``."""
    logits: torch.Tensor = model.get_output_embeddings()(hidden)
    bias = getattr(model, "final_logits_bias", None)
    return logits if bias is None else logits + bias


@contextlib.contextmanager
def head_input(model: PreTrainedModel) -> Iterator[list[torch.Tensor]]:
    """Catch what a model gives to its head, scaled as the model does it, and give the head nothing to do."""
    caught: list[torch.Tensor] = []

    def catch(_: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        caught.append(inputs[0])
        return (inputs[0][:, :0],)

    handle = model.get_output_embeddings().register_forward_pre_hook(catch)
    try:
        yield caught
    finally:
        handle.remove()


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
