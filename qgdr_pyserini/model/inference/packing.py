"""Linear layers whose weights are laid out once for the processor's matrix units.

torch lays them out anew for every product, runs the activation after it in a pass of its own, and leaves fp32
products to MKL, which uses half the width of 512-bit vector units on AMD CPUs. Its compiler avoids
all three by two operators of oneDNN; so does this, without needing a C++ compiler at hand. The activation is
left out of the product where that is faster.

Where products are in bf16, only they and attention are: embeddings, sums, LayerNorm and pooling stay in fp32.
That costs next to nothing, and the vectors come several times nearer to those computed all in fp32.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

# Layers whose results go into attention, as BERT and XLM-R name them: there, bf16 is enough.
_INTO_ATTENTION = ("query", "key", "value")


class PackedLinear(nn.Module):
    """A linear layer, with the GELU that follows it or not, for inference on a CPU.

    Parameters
    ----------
    linear
        The layer to take the place of.
    dtype
        In which to multiply.
    result
        Of what the layer returns.
    gelu
        Whether to apply GELU (the exact one) to the result.
    """

    # T5 asks a layer for the type of its weights before it uses it.
    weight = None

    def __init__(
        self, linear: nn.Linear, dtype: torch.dtype, result: torch.dtype = torch.float32, gelu: bool = False
    ) -> None:
        super().__init__()
        weight = linear.weight.detach().to(dtype)
        self._packed = can_pack(dtype)
        self._weight = torch.ops.mkldnn._reorder_linear_weight(weight, None) if self._packed else weight
        self._bias = None if linear.bias is None else linear.bias.detach().to(dtype)
        self._dtype, self._result, self._gelu = dtype, result, gelu
        self._gelu_inside = gelu and _fuses_gelu(dtype)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """Map ``(…, inputs)`` to ``(…, outputs)``."""
        narrow = states.to(self._dtype)
        product = self._fused(narrow) if self._packed else self._plain(narrow)
        return product.to(self._result)

    def _fused(self, states: torch.Tensor) -> torch.Tensor:
        after: tuple[str, list[Any], str] = ("gelu", [], "none") if self._gelu_inside else ("none", [], "")
        product: torch.Tensor = torch.ops.mkldnn._linear_pointwise(states, self._weight, self._bias, *after)
        return torch.ops.aten.gelu_(product) if self._gelu and not self._gelu_inside else product

    def _plain(self, states: torch.Tensor) -> torch.Tensor:
        product = nn.functional.linear(states, self._weight, self._bias)
        return nn.functional.gelu(product) if self._gelu else product


def pack(model: nn.Module, dtype: torch.dtype) -> None:
    """Have a model's linear layers multiply in ``dtype``, in place; all else keeps its precision.

    Parameters
    ----------
    model
        In fp32, on a CPU.
    dtype
        ``torch.float32`` or ``torch.bfloat16``.
    """
    if dtype == torch.float32 and not can_pack(dtype):
        return

    def packed(name: str, linear: nn.Linear, gelu: bool) -> nn.Module:
        # What is behind the GELU goes into the next product only.
        narrow = gelu or name.rpartition(".")[2] in _INTO_ATTENTION
        return PackedLinear(linear, dtype, dtype if narrow else torch.float32, gelu)

    replace_linears(model, packed)


def replace_linears(model: nn.Module, replacement: Callable[[str, nn.Linear, bool], nn.Module]) -> None:
    """Put other layers in the place of a model's linear ones.

    Parameters
    ----------
    model
        What is changed.
    replacement
        Makes a layer out of the name, the linear layer, and whether it is to apply the GELU behind it.
    """
    for path, parent in list(model.named_modules()):
        gelu = _has_gelu(parent)
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Linear):
                setattr(parent, name, replacement(f"{path}.{name}".lstrip("."), child, gelu))
        if gelu:
            parent.intermediate_act_fn = nn.Identity()


def can_pack(dtype: torch.dtype) -> bool:
    """Whether this torch and this CPU multiply packed weights of a type."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    operators = hasattr(torch.ops.mkldnn, "_linear_pointwise")
    return operators and (dtype == torch.float32 or _multiplies_bf16())


def _multiplies_bf16() -> bool:
    supported = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None)
    return supported is not None and bool(supported())


def _fuses_gelu(dtype: torch.dtype) -> bool:
    """Whether oneDNN's GELU in a product beats torch's, which is some three times as fast in 256-bit vectors.

    By the kind of processor and not by the clock: vectors must be the same to the last bit in every run.
    """
    return dtype != torch.float32 or torch.backends.cpu.get_cpu_capability() != "AVX2"


def _has_gelu(module: Any) -> bool:
    """Whether it is the inner layer of a BERT or XLM-R: one linear layer, then the exact GELU."""
    activation = getattr(module, "intermediate_act_fn", None)
    if not isinstance(activation, nn.Module) or not isinstance(getattr(module, "dense", None), nn.Linear):
        return False
    probe = torch.linspace(-4, 4, 65)
    return torch.allclose(activation(probe), nn.functional.gelu(probe), atol=1e-6)
