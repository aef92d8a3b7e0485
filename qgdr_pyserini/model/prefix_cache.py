"""Log-likelihoods of many texts that go on from few prefixes: each prefix runs through the model once."""

from __future__ import annotations

import contextlib
import copy
import inspect
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from transformers import DynamicCache, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPast

from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.padding import pad

Tokens = list[int]


def hidden_states(
    model: PreTrainedModel,
    input_ids: torch.Tensor,
    attention_mask: torch.Tensor,
    cache: DynamicCache | None = None,
) -> torch.Tensor:
    """Run all of a model but its head.

    Parameters
    ----------
    model
        Any decoder-only model of transformers.
    input_ids
        ``(rows, tokens)``; what is in the cache is not among them.
    attention_mask
        ``(rows, cached and given tokens)``. Padding is at the two ends of a row, never between two
        tokens: then places differ as positions do, which sliding windows and relative positions go by.
    cache
        Keys and values of the tokens before, to which those of these are added; None for neither.

    Returns
    -------
    torch.Tensor
        ``(rows, tokens, dimension)``.

    Raises
    ------
    QgdrError
        If a row has more tokens than the model has positions.
    """
    _check_positions(model, attention_mask)
    body = model.get_decoder()
    options: dict[str, Any] = {"past_key_values": cache} if cache is not None else {}
    if "position_ids" in inspect.signature(body.forward).parameters:
        positions = (attention_mask.cumsum(dim=1) - 1).clamp(min=0)
        options["position_ids"] = positions[:, -input_ids.shape[1] :]
    outputs = body(input_ids=input_ids, attention_mask=attention_mask, use_cache=cache is not None, **options)
    states: torch.Tensor = outputs.last_hidden_state
    return states


def _check_positions(model: PreTrainedModel, attention_mask: torch.Tensor) -> None:
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if positions is None or attention_mask.shape[1] <= positions:
        return
    longest = int(attention_mask.sum(dim=1).max())
    if longest > positions:
        raise QgdrError(
            f"prompt and query of {longest:,} tokens are longer than the model's {positions:,} positions; "
            "lower passage_max_length or query_max_length"
        )


def head_logits(model: PreTrainedModel, states: torch.Tensor) -> torch.Tensor:
    """Let a model turn hidden states ``(tokens, dimension)`` into logits ``(tokens, vocabulary)``.

    Some scale what the head gives, or cap it; so the model runs, with its body standing still.
    """
    with _body_gives(model, states.unsqueeze(0)):
        token = torch.zeros(1, 1, dtype=torch.long, device=states.device)
        logits: torch.Tensor = model(input_ids=token, use_cache=False).logits
    return logits[0]


def log_probabilities(
    model: PreTrainedModel, states: torch.Tensor, tokens: torch.Tensor, memory: int
) -> torch.Tensor:
    """Look up each token in the distribution that its hidden state stands for.

    Parameters
    ----------
    model
        Whose head is used.
    states
        ``(tokens, dimension)``.
    tokens
        ``(tokens,)``.
    memory
        Bytes that a chunk of logits, and what the softmax makes of them, may take.

    Returns
    -------
    torch.Tensor
        ``(tokens,)``, in fp32 or better.
    """
    size = 2 * model.config.get_text_config().vocab_size * torch.finfo(torch.float32).bits // 8
    chunk = max(1, memory // size)
    found = [
        _log_probabilities(head_logits(model, some), wanted)
        for some, wanted in zip(torch.split(states, chunk), torch.split(tokens, chunk), strict=True)
    ]
    return torch.cat(found) if len(tokens) else states.new_zeros(0, dtype=torch.float32)


def _log_probabilities(logits: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    precise = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return -torch.nn.functional.cross_entropy(precise, tokens, reduction="none")


class _Given(BaseModelOutputWithPast):  # type: ignore[misc]
    """Hidden states as a body's output; what else some heads pass on, such as routers' logits, is None."""

    def __getattr__(self, name: str) -> None:
        if name.startswith("_"):
            raise AttributeError(name)


@contextlib.contextmanager
def _body_gives(model: PreTrainedModel, states: torch.Tensor) -> Iterator[None]:
    body = model.get_decoder()
    # Hooks of accelerate, too, stand in an object's own attributes.
    own = body.__dict__.get("forward")
    body.forward = lambda *_, **__: _Given(last_hidden_state=states)
    try:
        yield
    finally:
        del body.forward
        if own is not None:
            body.forward = own


class Continuation(NamedTuple):
    """What goes on from a prefix.

    Parameters
    ----------
    prefix
        Its place among the prefixes.
    given
        Tokens that are read, at least one.
    wanted
        Tokens whose probability is asked for.
    """

    prefix: int
    given: Tokens
    wanted: Tokens


def can_share_prefixes(model: PreTrainedModel) -> bool:
    """Tell whether a model remembers its prefix as keys and values, of all tokens or of a window.

    Models with a recurrent state, or with attention in chunks of fixed places, need their whole text.
    """
    kinds = getattr(model.config.get_text_config(), "layer_types", None) or ["full_attention"]
    return not model._is_stateful and {*kinds} <= {"full_attention", "sliding_attention"}


def bytes_a_token(model: PreTrainedModel) -> int:
    """Measure what keys and values of one token take, in all layers together."""
    one = torch.ones(1, 1, dtype=torch.long, device=model.device)
    cache = DynamicCache()
    hidden_states(model, one, one, cache)
    return sum(tensor.nbytes for tensor in _tensors(cache))


class PrefixCache:
    """Keys and values of a batch of prefixes.

    Prefixes are padded on the left and what goes on from them on the right, so that no padding lies
    between two tokens. The cache keeps all tokens, also those that have left a sliding window: which
    ones are attended to is the mask's business.

    Parameters
    ----------
    model
        Any causal language model that `can_share_prefixes`.
    prefixes
        Tokens of each; of like length.
    memory
        Bytes that the caches of the texts computed at a time, and a chunk of logits, may each take.
    """

    def __init__(self, model: PreTrainedModel, prefixes: Sequence[Tokens], memory: int) -> None:
        self._model = model
        self._memory = memory
        self._cache = DynamicCache()
        ids, self._mask = pad(prefixes, left=True, device=model.device)
        if ids.shape[1]:
            hidden_states(model, ids, self._mask, self._cache)

    def log_likelihoods(self, continuations: Sequence[Continuation]) -> torch.Tensor:
        """Score continuations.

        Parameters
        ----------
        continuations
            Any number for each prefix, in any order.

        Returns
        -------
        torch.Tensor
            The mean log-probability of the tokens wanted, ``(continuations,)``; 0 where there are none.
        """
        lengths = [len(one.given) + len(one.wanted) for one in continuations]
        # Those of like length share a chunk, so that little is computed on padding.
        order = sorted(range(len(continuations)), key=lengths.__getitem__)
        found = torch.zeros(len(order), dtype=torch.float32, device=self._mask.device)
        rows_at_once = self._rows_at_once(max(lengths, default=0))
        for start in range(0, len(order), rows_at_once):
            rows = order[start : start + rows_at_once]
            found[rows] = self._score([continuations[i] for i in rows]).to(found.dtype)
        return found

    def _rows_at_once(self, length: int) -> int:
        size: int = sum(tensor.nbytes for tensor in _tensors(self._cache))
        slots = self._mask.numel()
        # Without a prefix there is no telling what a token takes: one row at a time.
        return max(1, self._memory * slots // (size * (self._mask.shape[1] + length))) if size else 1

    def _score(self, chunk: Sequence[Continuation]) -> torch.Tensor:
        device = self._mask.device
        given, mask = pad([[*one.given, *one.wanted[:-1]] for one in chunk], device=device)
        owners = torch.tensor([one.prefix for one in chunk], device=device)
        whole = torch.cat([self._mask[owners], mask], dim=1)
        cache = self._select(owners) if self._cache.layers else None
        states = hidden_states(self._model, given, whole, cache)
        # The state of the last token given foretells the first one wanted.
        rows = [row for row, one in enumerate(chunk) for _ in one.wanted]
        places = [len(one.given) - 1 + i for one in chunk for i in range(len(one.wanted))]
        wanted = torch.tensor([t for one in chunk for t in one.wanted], dtype=torch.long, device=device)
        found = log_probabilities(self._model, states[rows, places], wanted, self._memory)
        counts = torch.tensor([max(1, len(one.wanted)) for one in chunk], device=device)
        owned = torch.tensor(rows, dtype=torch.long, device=device)
        return found.new_zeros(len(chunk)).index_add(0, owned, found) / counts

    def _select(self, owners: torch.Tensor) -> DynamicCache:
        # A copy that shares the tensors, until the next line puts selections in their place.
        cache = copy.deepcopy(self._cache, {id(tensor): tensor for tensor in _tensors(self._cache)})
        cache.batch_select_indices(owners)
        return cache


def _tensors(cache: DynamicCache) -> list[torch.Tensor]:
    return [tensor for layer in cache.layers for tensor in (layer.keys, layer.values)]
