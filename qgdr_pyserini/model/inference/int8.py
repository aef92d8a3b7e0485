"""Linear layers that multiply 8-bit integers: weights scaled by output channel, activations by token.

A token's states x are written as x ≈ low + step · c, with c from 0 to 255, and a channel's weights as
w ≈ scale · k. Then x·w ≈ step · scale · Σ c k + low · scale · Σ k, whose first sum is one of integers and
exact. Every token is rounded by itself, so what it is encoded with does not matter.

References
----------
Yao et al.: ZeroQuant. NeurIPS 2022 (activations by token).
oneDNN, Developer Guide: Nuances of int8 Computations (processors without VNNI).
"""

from __future__ import annotations

import functools

import torch
from torch import nn

from qgdr_pyserini.errors import QgdrError

LARGEST_STATE = 255

# A channel or a token that is constant has no width to divide by.
_LEAST = 1e-30


class Int8Linear(nn.Module):
    """A linear layer, with the GELU that follows it or not, in 8-bit integers on a CPU.

    Parameters
    ----------
    linear
        The layer to take the place of, in fp32.
    bits
        Of a weight, as `weight_bits` says.
    gelu
        Whether to apply GELU (the exact one) to the result.

    Examples
    --------
    >>> layer = nn.Linear(4, 2, bias=False)
    >>> layer.weight.data = torch.tensor([[1.0, 0, 0, 0], [0.0, 50.0, 0, 100.0]])
    >>> Int8Linear(layer, bits=7)(torch.tensor([[0.0, 1.0, 2.0, 3.0]])).round()
    tensor([[  0., 351.]])
    """

    # T5 asks a layer for the type of its weights before it uses it.
    weight = None

    def __init__(self, linear: nn.Linear, bits: int, gelu: bool = False) -> None:
        super().__init__()
        codes, self._scale = quantize_weight(linear.weight.detach(), bits)
        self._sums = codes.sum(1) * self._scale
        self._codes = torch.ops.onednn.qlinear_prepack(codes, None)
        self._offsets = torch.zeros(len(codes), dtype=torch.int64)
        self._bias = torch.zeros(len(codes)) if linear.bias is None else linear.bias.detach()
        self._gelu = gelu

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """Map ``(…, inputs)`` to ``(…, outputs)``, fp32."""
        codes, low, step = quantize_states(states.reshape(-1, states.shape[-1]))
        product = _multiply(codes, self._codes, self._scale, self._offsets)
        product.mul_(step).addcmul_(low, self._sums).add_(self._bias)
        result = torch.ops.aten.gelu_(product) if self._gelu else product
        return result.reshape(*states.shape[:-1], -1)


def quantize_weight(weight: torch.Tensor, bits: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Round weights, with a scale for each output channel.

    Parameters
    ----------
    weight
        fp32, ``(outputs, inputs)``.
    bits
        Of a code, its sign included.

    Returns
    -------
    tuple of torch.Tensor
        Codes, int8, ``(outputs, inputs)``; scales, fp32, ``(outputs,)``.
    """
    scale = (weight.abs().amax(1) / _largest(bits)).clamp_min(_LEAST)
    return (weight / scale[:, None]).round().to(torch.int8), scale


def quantize_states(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Round tokens' states to 8 bits, each token between its own least and largest.

    Parameters
    ----------
    rows
        fp32, ``(tokens, inputs)``.

    Returns
    -------
    tuple of torch.Tensor
        Codes, uint8, ``(tokens, inputs)``; what 0 stands for and what a step is, fp32, ``(tokens, 1)``.
    """
    low, high = rows.aminmax(dim=1, keepdim=True)
    step = ((high - low) / LARGEST_STATE).clamp_min(_LEAST)
    return (rows - low).div_(step).round_().to(torch.uint8), low, step


def weight_bits() -> int:
    """Tell how many bits a weight may have here: 8, or 7 where the processor adds up two products in 16 bits.

    2 · 255 · 127 overflows 16 bits, 2 · 255 · 63 does not. Processors with VNNI add up in 32.

    Raises
    ------
    QgdrError
        If this torch does not multiply 8-bit integers here.
    """
    for bits in (8, 7):
        if is_exact(bits):
            return bits
    raise QgdrError("this torch does not multiply 8-bit integers here; choose precision bf16 or fp32")


@functools.cache
def is_exact(bits: int) -> bool:
    """Whether products of weights of so many bits are exact here: tried on the largest, of both signs."""
    states = torch.full((32, 384), LARGEST_STATE, dtype=torch.uint8)
    codes = torch.full((16, 384), _largest(bits), dtype=torch.int8)
    codes[::2] *= -1
    try:
        weight = torch.ops.onednn.qlinear_prepack(codes, None)
        found = _multiply(states, weight, torch.ones(16), torch.zeros(16, dtype=torch.int64))
    except (AttributeError, RuntimeError, TypeError):  # without oneDNN, or its operators are others
        return False
    return torch.equal(found, states.float() @ codes.float().T)


def _largest(bits: int) -> int:
    return int(2 ** (bits - 1)) - 1


def _multiply(
    states: torch.Tensor, weight: torch.Tensor, scale: torch.Tensor, offsets: torch.Tensor
) -> torch.Tensor:
    """Multiply codes ``(tokens, inputs)`` by prepacked ones; each output times its scale, in fp32."""
    # Unsigned states: for signed ones oneDNN has no kernel on processors between AVX2 and AMX, but a plain
    # loop that is a hundred thousand times slower.
    product: torch.Tensor = torch.ops.onednn.qlinear_pointwise(
        states, 1.0, 0, weight, scale, offsets, None, 1.0, 0, torch.float32, "none", [], ""
    )
    return product
