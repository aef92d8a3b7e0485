"""Running a causal language model in two halves: tokens to hidden states, hidden states to logits."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator
from typing import Any

import torch
from transformers import DynamicCache, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPast

from qgdr_pyserini.errors import QgdrError


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
