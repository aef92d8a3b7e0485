"""From token vectors to one vector a text."""

from __future__ import annotations

import torch

from qgdr_pyserini.model.config import EncoderConfig


def pool(states: torch.Tensor, mask: torch.Tensor, config: EncoderConfig) -> torch.Tensor:
    """Pool token vectors as the encoder's settings say.

    Parameters
    ----------
    states
        Token vectors, ``(texts, tokens, dimension)``.
    mask
        1 for real tokens, 0 for padding, ``(texts, tokens)``.
    config
        Pooling and normalisation.

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
    """
    if config.pooling == "cls":
        vectors = states[:, 0]
    else:
        weights = mask.unsqueeze(-1).to(states.dtype)
        vectors = (states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1e-9)
    return torch.nn.functional.normalize(vectors, dim=-1) if config.normalize else vectors
