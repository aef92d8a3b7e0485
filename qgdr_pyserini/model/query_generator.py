"""The query generator: a seq2seq model that writes questions for passages, and so can score them."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from pydantic import Field
from transformers import AutoModelForSeq2SeqLM, PreTrainedModel, PreTrainedTokenizerBase

from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.languages import language_name
from qgdr_pyserini.model.loading import ModelSource, load_model
from qgdr_pyserini.model.shared_decoding import SharedDecoder, head_input, head_logits
from qgdr_pyserini.model.teacher import Pair, Query, Scores, Teacher
from qgdr_pyserini.model.teacher_settings import TeacherSettings

_IGNORED = -100  # the label that transformers leaves out of losses


class GeneratorSettings(TeacherSettings):
    """What goes into a query generator, and how much of it.

    Parameters
    ----------
    prompt
        Its input; ``{language}`` is the language's English name.
    query_max_length, passage_max_length
        In tokens; the passage's includes the prompt's words.
    """

    prompt: str = "Generate a {language} question for this passage: {title} {text}"
    query_max_length: int = Field(default=64, ge=2)
    passage_max_length: int = Field(default=256, ge=8)


class GeneratedQuery(NamedTuple):
    """A question in a language, for the passage at this place."""

    passage: int
    language: str
    text: str


class QueryGenerator(torch.nn.Module, Teacher):
    r"""Scores a query by how likely the generator would have asked it, given the passage.

    .. math:: t(q, p) = \frac{1}{|q|} \sum_i \log P(q_i \mid q_{<i}, p)

    The end token is one of the q_i. (Ren et al. 2022, QuiCK; UPR, Sachan et al. 2022, for the score.)

    Parameters
    ----------
    model
        Any encoder-decoder of transformers.
    tokenizer
        Its tokenizer.
    settings
        Prompt and lengths.
    batch_size
        Passages encoded at a time.
    memory_mb
        Megabytes that decoder caches, and a chunk of logits, may each take while scoring.

    Examples
    --------
    >>> generator = QueryGenerator.load(ModelSource(checkpoint="google/mt5-base"))  # doctest: +SKIP
    >>> danube = Passage("1", "Danube", "It rises in the Black Forest.")  # doctest: +SKIP
    >>> generator.score([Query("Wo entspringt die Donau?", "de")], [danube])  # doctest: +SKIP
    >>> generator.generate([danube], ["de", "zh"], n=10, seed=0)  # doctest: +SKIP
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        settings: GeneratorSettings,
        *,
        batch_size: int = 16,
        memory_mb: int = 64,
    ) -> None:
        super().__init__()
        self.model = model
        self.tokenizer = tokenizer
        self.settings = settings
        self.batch_size = batch_size
        self.memory_mb = memory_mb

    @classmethod
    def load(
        cls, source: ModelSource, settings: GeneratorSettings | None = None, *, seed: int = 0, **options: Any
    ) -> QueryGenerator:
        """Load a checkpoint, or start from a configuration; in evaluation mode.

        Parameters
        ----------
        source
            Where from.
        settings
            Prompt and lengths; those saved with the checkpoint, or the defaults, when None.
        seed
            Of random weights.
        options
            ``batch_size`` and ``memory_mb``.
        """
        model, tokenizer = load_model(source, AutoModelForSeq2SeqLM, seed=seed)
        found = settings or GeneratorSettings.saved_or_default(source.checkpoint)
        return cls(model, tokenizer, found, **options).eval()

    def save_pretrained(self, folder: str | os.PathLike[str]) -> None:
        """Write a folder that `load` and transformers load."""
        self.model.save_pretrained(folder, safe_serialization=True)
        self.tokenizer.save_pretrained(folder)
        self.settings.save(Path(folder))

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    def forward(self, prompts: dict[str, torch.Tensor], labels: torch.Tensor) -> torch.Tensor:
        """Score pairs one by one, with gradients.

        Parameters
        ----------
        prompts
            ``input_ids`` and ``attention_mask``, each ``(pairs, tokens)``.
        labels
            The queries' tokens, -100 for padding, ``(pairs, query tokens)``.

        Returns
        -------
        torch.Tensor
            t(q, p), ``(pairs,)``.
        """
        given = self.model.prepare_decoder_input_ids_from_labels(labels)
        real = labels != _IGNORED
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
        self._refuse_half_precision()
        by_language: dict[str, list[int]] = defaultdict(list)
        for i, pair in enumerate(pairs):
            by_language[queries[pair.query].language].append(i)
        for language, group in by_language.items():
            for rows, found in self._score_language(language, queries, passages, pairs, group):
                scores[rows] = found.float().cpu().numpy()
        return scores

    def generate(
        self,
        passages: Sequence[Passage],
        languages: Iterable[str],
        n: int,
        *,
        seed: int,
        top_k: int = 10,
    ) -> list[GeneratedQuery]:
        """Write questions by top-k sampling.

        Parameters
        ----------
        passages
            What to ask about.
        languages
            ISO codes of the languages to ask in.
        n
            Questions for each passage and language; empty ones are left out.
        seed
            Equal seeds, inputs, batch sizes and machines give equal questions.
        top_k
            Every token is drawn from this many most likely ones; the paper's 10.
        """
        self._refuse_half_precision()
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed)
            return [query for language in languages for query in self._generate(passages, language, n, top_k)]

    def prompt(self, passage: Passage, language: str) -> str:
        """Write the generator's input for a question about a passage in a language."""
        name = language_name(language)
        return self.settings.prompt.format(language=name, title=passage.title, text=passage.text)

    def collate(self, queries: Sequence[Query], passages: Sequence[Passage]) -> dict[str, Any]:
        """Turn pairs, row by row, into what `forward` takes."""
        prompts = [self.prompt(p, q.language) for q, p in zip(queries, passages, strict=True)]
        return self.collate_texts(prompts, [query.text for query in queries])

    def collate_texts(self, prompts: Sequence[str], targets: Sequence[str]) -> dict[str, Any]:
        """Turn texts and what is to be written for each, row by row, into what `forward` takes."""
        wanted = self.pad(self.tokenize_queries(targets))
        labels = wanted["input_ids"].masked_fill(wanted["attention_mask"] == 0, _IGNORED)
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
        batch = self.tokenizer.pad({"input_ids": list(rows)}, padding_side="right", return_tensors="pt")
        return {name: batch[name].to(self.device) for name in ("input_ids", "attention_mask")}

    def _cut(self, prompts: Sequence[str]) -> list[list[int]]:
        if not prompts:
            return []
        rows = self.tokenizer(list(prompts), truncation=True, max_length=self.settings.passage_max_length)
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

    def _refuse_half_precision(self) -> None:
        if self.model.dtype == torch.float16:
            raise QgdrError("a query generator in fp16 overflows to NaN (mT5 does); use bf16 or fp32")


def _by_length(prompts: list[tuple[int, list[int]]], size: int) -> Iterator[list[tuple[int, list[int]]]]:
    """Yield batches of prompts of like length."""
    ordered = sorted(prompts, key=lambda item: len(item[1]))
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]
