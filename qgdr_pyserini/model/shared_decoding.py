"""Log-likelihoods of many targets under few prompts: each prompt is encoded once."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput


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
