"""A query generator that is a causal language model, such as Qwen, Llama or Gemma."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from transformers import (
    AutoModelForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    StoppingCriteria,
    StoppingCriteriaList,
)

from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.padding import pad
from qgdr_pyserini.model.prefix_cache import (
    Continuation,
    PrefixCache,
    Tokens,
    bytes_a_token,
    can_share_prefixes,
    hidden_states,
    log_probabilities,
)
from qgdr_pyserini.model.prompt import Prompt
from qgdr_pyserini.model.query_generator import IGNORED, GeneratedQuery, GeneratorSettings, QueryGenerator
from qgdr_pyserini.model.teacher import Pair, Query, Scores

# Marks that models put around what they write; apostrophes end words in some languages.
_QUOTES = ' "“”„«»「」『』`'

_ALL_AT_ONCE = 2**62


class CausalTokens:
    """Turns the parts of prompts, and questions, into tokens, each part on its own.

    What a model reads is their tokens one after the other, whether a prefix is shared or not, so a
    score depends on no other pair. A question begins with a space, as a word in running text does.

    Parameters
    ----------
    tokenizer
        Of the model.

    Raises
    ------
    QgdrError
        If it has no end token.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        end = tokenizer.eos_token_id if tokenizer.eos_token_id is not None else tokenizer.sep_token_id
        if end is None:
            raise QgdrError(f"{tokenizer.name_or_path}: its tokenizer has no end token")
        self._tokenizer = tokenizer
        self.end: int = end
        starts = {tokenizer.bos_token_id, tokenizer.cls_token_id} - {None, end}
        self._start = [token for token in tokenizer("")["input_ids"][:1] if token in starts]
        word = tokenizer.tokenize("a")
        self._adds_space = bool(word) and word[0].startswith("▁")

    def prefixes(self, prompts: Sequence[Prompt], limit: int) -> list[list[int]]:
        """Tokenise prompts up to their tails, in ``limit`` tokens at most, of which passages give way."""
        afters = {after: self._pieces([after])[0] for after in {prompt.after for prompt in prompts}}
        passages = self._pieces([prompt.passage for prompt in prompts], limit)
        rows = []
        for prompt, passage in zip(prompts, passages, strict=True):
            after = afters[prompt.after]
            room = max(0, limit - len(self._start) - len(after))
            # Something has to be read before a question; a model that has no start token knows its end.
            rows.append([*self._start, *passage[:room], *after] or [self.end])
        return rows

    def tails(self, tails: Sequence[str]) -> list[list[int]]:
        """Tokenise prompts' tails."""
        return self._pieces(tails)

    def questions(self, texts: Sequence[str], limit: int, *, after_space: bool, end: bool) -> list[list[int]]:
        """Tokenise questions.

        Parameters
        ----------
        texts
            Without a space in front.
        limit
            In tokens, the end's excepted.
        after_space
            Whether a space parts them from what comes before.
        end
            Whether the end token follows.
        """
        space = " " if after_space and not self._adds_space else ""
        rows = self._pieces([space + text for text in texts], limit)
        return [[*row, self.end] for row in rows] if end else rows

    def _pieces(self, texts: Sequence[str], limit: int | None = None) -> list[list[int]]:
        if not texts:
            return []
        cut = {"truncation": True, "max_length": limit} if limit else {"verbose": False}
        return list(self._tokenizer(list(texts), add_special_tokens=False, **cut)["input_ids"])


def sample_lines(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: dict[str, torch.Tensor],
    *,
    n: int,
    top_k: int,
    limit: int,
    end: int,
) -> list[str]:
    """Go on from prompts until the line, or the text, ends.

    Parameters
    ----------
    model, tokenizer
        What samples.
    prompts
        ``input_ids`` and ``attention_mask``, padded on the left, each ``(prompts, tokens)``.
    n
        Lines for each prompt.
    top_k
        Every token is drawn from this many most likely ones, by the model's own probabilities.
    limit
        Most tokens of a line.
    end
        The end token.

    Returns
    -------
    list of str
        n for each prompt, one prompt after the other; without quotation marks around them, perhaps empty.
    """
    start = prompts["input_ids"].shape[1]
    # A checkpoint may come with settings of its own for chats; these are all that change probabilities.
    plain = {"temperature": 1.0, "top_p": 1.0, "min_p": None, "typical_p": 1.0, "repetition_penalty": 1.0}
    rows = model.generate(
        **prompts,
        do_sample=True,
        top_k=top_k,
        num_beams=1,
        num_return_sequences=n,
        max_new_tokens=limit,
        pad_token_id=end,
        eos_token_id=sorted({end, *_ends(model)}),
        stopping_criteria=StoppingCriteriaList([_LineEnds(tokenizer, start)]),
        **plain,
    )
    return [first_line_of(text) for text in tokenizer.batch_decode(rows[:, start:], skip_special_tokens=True)]


def first_line_of(text: str) -> str:
    """Return the first line that holds anything, without quotation marks around it.

    Examples
    --------
    >>> first_line_of(' \\n "Where does it  rise?"\\nAnswer: there')
    'Where does it rise?'
    """
    lines = text.strip().splitlines()
    return " ".join(lines[0].strip(_QUOTES).split()) if lines else ""


def _ends(model: PreTrainedModel) -> list[int]:
    ends = model.generation_config.eos_token_id
    return [ends] if isinstance(ends, int) else list(ends or ())


class _LineEnds(StoppingCriteria):  # type: ignore[misc]
    """Stops a row once it has written a line."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, start: int) -> None:
        self._tokenizer = tokenizer
        self._start = start

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        texts = self._tokenizer.batch_decode(input_ids[:, self._start :], skip_special_tokens=True)
        return torch.tensor(["\n" in text.lstrip() for text in texts], device=input_ids.device)


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
