"""Which linear layers of an encoder bear 8-bit integers, and which are kept in fp32: found by measurement.

Layers of one kind, the values of all attentions for one, suffer alike, and the errors of kinds nearly add up.
So the vectors of a few passages are computed with one kind at a time in 8 bits, and the kinds that cost most
for their size are kept until what is left is small enough.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.inference.int8 import Int8Linear, weight_bits

CALIBRATION_PASSAGES = 16
"""How many passages are measured: cosines hardly differ from passage to passage."""

LARGEST_LOSS = 0.0003
"""Most that the mean cosine with fp32 may lose, chosen on XQuAD with the encoder that ships."""

# With less than half of the weights in 8 bits, it would hardly be faster than fp32.
_MOST_KEPT = 0.5


@dataclasses.dataclass(frozen=True, slots=True)
class Quantization:
    """How an encoder's linear layers are turned into 8-bit integers.

    Parameters
    ----------
    weight_bits
        Of a weight: 8, or 7.
    kept
        Kinds of layers that stay in fp32, as ``encoder.layer.*.attention.self.value``.
    """

    weight_bits: int
    kept: tuple[str, ...] = ()

    def keeps(self, name: str) -> bool:
        """Whether the layer of this name stays in fp32."""
        return kind_of(name) in self.kept

    def described(self) -> dict[str, Any]:
        """Return it as it is written beside an index."""
        return {"weight_bits": self.weight_bits, "kept": list(self.kept)}

    @classmethod
    def from_description(cls, described: dict[str, Any]) -> Quantization:
        """Make it of what `described` returned."""
        return cls(described["weight_bits"], tuple(described["kept"]))


def kind_of(name: str) -> str:
    """Return a layer's name without its number.

    Examples
    --------
    >>> kind_of("encoder.layer.11.attention.self.value")
    'encoder.layer.*.attention.self.value'
    """
    return re.sub(r"(?<=\.)\d+(?=\.)", "*", name)


def calibrate(model: DualEncoder, tokens: Sequence[Sequence[int]]) -> tuple[Quantization, float]:
    """Find what has to stay in fp32 for an encoder's vectors to stay near those in fp32.

    Parameters
    ----------
    model
        In fp32 on a CPU; it is the same afterwards.
    tokens
        Token numbers of some passages.

    Returns
    -------
    tuple of Quantization and float
        What was found, and by how much the mean cosine with the vectors in fp32 is below 1.

    Raises
    ------
    QgdrError
        If too much would have to stay in fp32, there are no such layers, or this torch does not multiply
        8-bit integers here.
    """
    trial = _Trial(model, tokens, weight_bits())
    if not trial.sizes:
        raise QgdrError("the encoder has no linear layers for int8 to speed up; choose bf16 or fp32")
    kept: list[str] = []
    for kind in (None, *_by_cost(trial)):
        kept += [kind] if kind else []
        if sum(trial.sizes[one] for one in kept) > _MOST_KEPT * sum(trial.sizes.values()):
            break
        loss = trial.loss(kept)
        if loss <= LARGEST_LOSS:
            return Quantization(trial.bits, tuple(sorted(kept))), loss
    raise QgdrError(
        f"precision int8 changes this encoder's vectors too much here: it takes {loss:.1e} off their mean "
        f"cosine with fp32, more than {LARGEST_LOSS:.1e}; choose bf16 or fp32"
    )


def _by_cost(trial: _Trial) -> list[str]:
    """Kinds of layers, first those whose 8 bits cost most for each weight that they hold."""
    others = trial.sizes.keys()
    cost = {kind: trial.loss(others - {kind}) / size for kind, size in trial.sizes.items()}
    return sorted(cost, key=lambda kind: -cost[kind])


class _Trial:
    """An encoder of which some layers are turned into 8-bit integers for a while."""

    def __init__(self, model: DualEncoder, tokens: Sequence[Sequence[int]], bits: int) -> None:
        self._model, self._tokens, self.bits = model, tokens, bits
        self._linears = {
            name: module for name, module in model.model.named_modules() if isinstance(module, nn.Linear)
        }
        self._narrow = {name: Int8Linear(linear, bits) for name, linear in self._linears.items()}
        self.sizes: dict[str, int] = {}
        for name, linear in self._linears.items():
            self.sizes[kind_of(name)] = self.sizes.get(kind_of(name), 0) + linear.weight.numel()
        self._exact = self._vectors()

    def loss(self, kept: Collection[str]) -> float:
        """Measure by how much the mean cosine is below 1 where these kinds are kept."""
        narrow = {name: layer for name, layer in self._narrow.items() if kind_of(name) not in kept}
        try:
            self._put(narrow)
            return 1 - float((self._vectors() * self._exact).sum(axis=1).mean())
        finally:
            self._put(self._linears)

    def _put(self, layers: dict[str, Any]) -> None:
        for name, layer in layers.items():
            parent, _, last = name.rpartition(".")
            setattr(self._model.model.get_submodule(parent), last, layer)

    def _vectors(self) -> npt.NDArray[np.float64]:
        """Encode the passages one by one, for the least memory; vectors of length 1."""
        found = np.concatenate([self._model.encode_tokens([text]) for text in self._tokens])
        vectors = found.astype(np.float64)
        unit: npt.NDArray[np.float64] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(1e-30)
        return unit
