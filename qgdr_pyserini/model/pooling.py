"""From token vectors to one vector a text."""

from __future__ import annotations

import torch

from qgdr_pyserini.model.config import EncoderConfig


def pool(
    states: torch.Tensor,
    mask: torch.Tensor,
    config: EncoderConfig,
    head: torch.nn.Module | None = None,
) -> torch.Tensor:
    """Pool token vectors as the encoder's settings say.

    Parameters
    ----------
    states
        Token vectors, ``(texts, tokens, dimension)``.
    mask
        1 for real tokens, 0 for padding, on either side of them, ``(texts, tokens)``.
    config
        Pooling and normalisation.
    head
        Layers between the two; none when None.

    Returns
    -------
    torch.Tensor
        ``(texts, dimension)``.

    Examples
    --------
    >>> states = torch.tensor([[[3.0, 0.0], [3.0, 8.0], [9.0, 9.0]]])
    >>> mask = torch.tensor([[1, 1, 0]])
    >>> pool(states, mask, EncoderConfig(pooling="mean", normalize=False))
    tensor([[3., 4.]])
    >>> pool(states, mask, EncoderConfig(pooling="mean", normalize=True))
    tensor([[0.6000, 0.8000]])
    >>> pool(states, mask, EncoderConfig(pooling="lasttoken", normalize=False))
    tensor([[3., 8.]])
    """
    vectors = _POOLINGS[config.pooling](states, mask)
    if head is not None:
        vectors = head(vectors)
    return torch.nn.functional.normalize(vectors, dim=-1) if config.normalize else vectors


def _first(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return _at(states, mask.int().argmax(dim=1))


def _last(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return _at(states, states.shape[1] - 1 - mask.int().flip(1).argmax(dim=1))


def _at(states: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    return states[torch.arange(len(states), device=states.device), places]


def _mean(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    weights = mask.unsqueeze(-1).to(states.dtype)
    return (states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1e-9)


def _weighted_mean(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Weight tokens by their place, from 1 on (SGPT: Muennighoff 2022): later ones have seen more."""
    return _mean(states, mask.cumsum(dim=1) * mask)


def _maximum(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return states.masked_fill(mask.unsqueeze(-1) == 0, float("-inf")).amax(dim=1)


_POOLINGS = {
    "cls": _first,
    "mean": _mean,
    "max": _maximum,
    "weightedmean": _weighted_mean,
    "lasttoken": _last,
}
