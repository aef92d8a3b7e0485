"""Layers between pooling and the end of an encoder that sentence-transformers saved."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from qgdr_pyserini.errors import InputError
from qgdr_pyserini.model.saved_settings import Module, read_object, refuse_pickles

WEIGHTS = "model.safetensors"

_ACTIVATIONS = {
    kind.__name__: kind
    for kind in (nn.Identity, nn.Tanh, nn.ReLU, nn.GELU, nn.SiLU, nn.Sigmoid, nn.LeakyReLU, nn.ELU, nn.Mish)
}
_SENTENCE = "sentence_embedding"


class Head(nn.Sequential):
    """Layers that turn pooled vectors ``(texts, inner)`` into ``(texts, dimension)``.

    Parameters
    ----------
    steps
        The layers, in order.
    dimension
        Number of components of what comes out.
    """

    def __init__(self, steps: Sequence[nn.Module], dimension: int) -> None:
        super().__init__(*steps)
        self.dimension = dimension


class UnitLength(nn.Module):
    """Scales vectors to length 1."""

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """Scale ``(texts, dimension)``."""
        return nn.functional.normalize(vectors, dim=-1)


class Truncate(nn.Module):
    """Keeps the first components of vectors (Matryoshka representations: Kusupati et al. 2022).

    Parameters
    ----------
    dimension
        How many.
    """

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.dimension = dimension

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """Cut ``(texts, components)`` to ``(texts, dimension)``."""
        return vectors[..., : self.dimension]


def load_head(modules: Sequence[Module], dimension: int, truncate: int | None = None) -> Head | None:
    """Load the layers behind pooling.

    Parameters
    ----------
    modules
        Of the kinds ``Dense`` and ``Normalize``, in order.
    dimension
        Number of components of the pooled vectors.
    truncate
        How many components to keep in the end; all when None.

    Returns
    -------
    Head or None
        None where there are none.

    Raises
    ------
    InputError
        If a layer's settings or weights cannot be used.
    """
    steps: list[nn.Module] = []
    for module in modules:
        if module.kind == "Normalize":
            steps.append(UnitLength())
            continue
        dense = _load_dense(module.folder, dimension)
        steps.append(dense)
        dimension = dense.dimension
    if truncate is not None:
        steps.append(Truncate(truncate))
        dimension = min(truncate, dimension)
    return Head(steps, dimension) if steps else None


def refuse_token_layer(module: Module) -> None:
    """Raise `InputError` for a layer that does not work on pooled vectors."""
    path = module.folder / "config.json"
    settings = read_object(path)
    for key in ("module_input_name", "module_output_name"):
        if settings.get(key) not in (None, _SENTENCE):
            raise InputError(f"{key} {settings[key]!r} cannot be done here, only {_SENTENCE!r}", path)


def _load_dense(folder: Path, inputs: int) -> Head:
    path = folder / "config.json"
    settings = read_object(path)
    activation = _activation(settings, path)
    if settings.get("use_residual"):
        raise InputError("use_residual cannot be done here", path)
    linear = nn.Linear(inputs, _count(settings, path), bias=bool(settings.get("bias", True)))
    refuse_pickles(folder)
    try:
        weights = load_file(folder / WEIGHTS)
        linear.load_state_dict({name.removeprefix("linear."): tensor for name, tensor in weights.items()})
    except Exception as error:
        raise InputError(f"cannot be loaded ({' '.join(str(error).split())})", folder / WEIGHTS) from error
    return Head([linear, activation], linear.out_features)


def _count(settings: dict[str, Any], path: Path) -> int:
    found = settings.get("out_features")
    if not isinstance(found, int) or found < 1:
        raise InputError(f"needs 'out_features', a number, not {found!r}", path)
    return found


def _activation(settings: dict[str, Any], path: Path) -> nn.Module:
    """Make a Dense layer's activation, by a name out of torch and no other; tanh where none is named."""
    name = str(settings.get("activation_function", "torch.nn.Tanh"))
    kind = _ACTIVATIONS.get(name.rpartition(".")[2]) if name.startswith("torch.nn.") else None
    if kind is None:
        known = ", ".join(_ACTIVATIONS)
        raise InputError(f"activation_function {name!r} cannot be done here; what can: {known}", path)
    return kind()
