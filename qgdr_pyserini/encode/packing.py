"""Linear layers with their weights laid out once for the processor's bf16 matrix units.

torch lays them out anew for every product, and runs the activation after it in a pass of its own, which costs
as much as the product where that is fast. Its compiler avoids both by two operators of oneDNN; so does this,
without needing a C++ compiler at hand. In fp32 the products take so much longer that nothing is gained.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


class PackedLinear(nn.Module):
    """A linear layer, with the GELU that follows it or not, for inference on a CPU.

    Parameters
    ----------
    linear
        The layer to take the place of.
    gelu
        Whether to apply GELU (the exact one) to the result.
    """

    def __init__(self, linear: nn.Linear, gelu: bool = False) -> None:
        super().__init__()
        self._weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), None)
        self._bias = None if linear.bias is None else linear.bias.detach()
        self._after: tuple[str, list[Any], str] = ("gelu", [], "none") if gelu else ("none", [], "")

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """Map ``(…, inputs)`` to ``(…, outputs)``."""
        result: torch.Tensor = torch.ops.mkldnn._linear_pointwise(
            states, self._weight, self._bias, *self._after
        )
        return result


def pack(model: nn.Module) -> None:
    """Replace a model's linear layers by packed ones, in place, where this torch and this CPU can."""
    if not hasattr(torch.ops.mkldnn, "_linear_pointwise") or not _multiplies_bf16():
        return
    for parent in list(model.modules()):
        fused = _has_gelu(parent)
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Linear):
                setattr(parent, name, PackedLinear(child, gelu=fused))
        if fused:
            parent.intermediate_act_fn = nn.Identity()


def _multiplies_bf16() -> bool:
    supported = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None)
    return supported is not None and bool(supported())


def _has_gelu(module: Any) -> bool:
    """Whether it is the inner layer of a BERT or XLM-R: one linear layer, then the exact GELU."""
    activation = getattr(module, "intermediate_act_fn", None)
    if not isinstance(activation, nn.Module) or not isinstance(getattr(module, "dense", None), nn.Linear):
        return False
    probe = torch.linspace(-4, 4, 65)
    return torch.allclose(activation(probe), nn.functional.gelu(probe), atol=1e-6)
