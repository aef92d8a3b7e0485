"""The number format of a model that is trained or that scores, and how fast a device is in it."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Literal

import torch

Precision = Literal["auto", "fp32", "bf16"]

OnDisk = Literal["fp32", "fp16", "fp8"]
"""Of saved weights; ``fp8`` (e4m3) is for matrices, the rest is kept in fp32."""

ON_DISK = {"fp32": torch.float32, "fp16": torch.float16, "fp8": torch.float8_e4m3fn}

# Below this, what bf16 gains on a whole model does not pay for the digits it loses.
WORTHWHILE = 1.5

_INNER, _OUTER = 384, 1536

# Seconds. A CPU without instructions for a format is told after two products, not after all; the first
# alone would not do, as it may set the device up.
_LONG_ENOUGH = 1.0

Product = Callable[[torch.nn.Linear, torch.dtype], torch.nn.Module]
"""Turns a layer into one that multiplies in a format."""


def resolve_precision(wanted: Precision, device: torch.device) -> Literal["fp32", "bf16"]:
    """Decide what ``auto`` is on a device: bf16 where it is at least 1.5 times as fast as fp32.

    A CPU without instructions for bf16 is up to a hundred times slower in it.
    """
    if wanted != "auto":
        return wanted
    return "bf16" if _gain(device) >= WORTHWHILE else "fp32"


def in_full(device: torch.device) -> torch.autocast:
    """Return a context for scores and losses, which bf16 would spoil: near 1, its steps are 1/256 wide.

    A cosine divided by the usual temperature of 0.02 would be off by up to 0.2.
    """
    return torch.autocast(device.type, enabled=False)


@functools.cache
def _gain(device: torch.device) -> float:
    return matrix_rate(torch.bfloat16, device) / matrix_rate(torch.float32, device)


def matrix_rate(
    dtype: torch.dtype,
    device: torch.device,
    product: Product | None = None,
    *,
    rows: int = 1024,
    repeats: int = 8,
) -> float:
    """Measure matrix products as a small encoder does them, in floating-point operations a second.

    The fastest of several, so that other work on the machine counts little; after a second, no more than two.

    Parameters
    ----------
    dtype, device
        What is measured.
    product
        How the layer multiplies; as torch does when None.
    rows, repeats
        Of the matrix, and most products made.
    """
    left = torch.ones(rows, _INNER, dtype=dtype, device=device)
    linear = torch.nn.Linear(_INNER, _OUTER, device=device)
    layer = linear.to(dtype) if product is None else product(linear, dtype)
    fastest, spent = float("inf"), 0.0
    with torch.inference_mode():
        for number in range(repeats):
            started = time.perf_counter()
            layer(left)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            seconds = time.perf_counter() - started
            fastest, spent = min(fastest, seconds), spent + seconds
            if number and spent > _LONG_ENOUGH:
                break
    return 2 * rows * _INNER * _OUTER / fastest
