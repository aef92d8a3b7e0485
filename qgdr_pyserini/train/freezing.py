"""What of a student is left as it is while it is trained."""

from __future__ import annotations

import torch

from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.dual_encoder import DualEncoder


def freeze(encoder: DualEncoder, *, vectors: bool, layers: int) -> None:
    """Freeze an encoder's lowest parts, and make the rest trainable.

    Training data show few of a large vocabulary's subwords, and few of its languages: those that they do not
    show would be left behind. Freezing the lowest layers of a multilingual BERT can help what is learned in
    one language to carry over to others (Wu & Dredze 2019, "Beto, Bentz, Becas"), and saves their part of the
    backward pass.

    Parameters
    ----------
    encoder
        Changed in place.
    vectors
        Whether the table of subword vectors is frozen.
    layers
        How many layers are frozen from the lowest on; with them goes all that comes before them.

    Raises
    ------
    QgdrError
        If the encoder has fewer layers.
    """
    model = encoder.model
    model.requires_grad_(True)
    stack = _layers(model)
    if layers > len(stack):
        raise QgdrError(f"freeze_layers {layers}: the student has {len(stack)} layers")
    if layers:
        getattr(model, "embeddings", model.get_input_embeddings()).requires_grad_(False)
    for layer in stack[:layers]:
        layer.requires_grad_(False)
    model.get_input_embeddings().weight.requires_grad_(not vectors and not layers)


def _layers(model: torch.nn.Module) -> torch.nn.ModuleList:
    """Find the stack of layers: the one list of modules that is as long as the model is deep."""
    depth = getattr(model.config, "num_hidden_layers", 0)
    for module in model.modules():
        if isinstance(module, torch.nn.ModuleList) and len(module) == depth:
            return module
    return torch.nn.ModuleList()
