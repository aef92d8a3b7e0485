"""Training few weights of a large teacher: low-rank additions to its matrices, which end up in them."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import torch
from pydantic import Field
from transformers import PreTrainedModel

from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.settings import Settings


class LoraSettings(Settings):
    """Low-rank adaptation (Hu et al. 2022), by the library peft.

    Parameters
    ----------
    rank
        Of what is added to a matrix.
    alpha
        What is added is weighed by alpha / rank.
    dropout
        Share of a matrix's inputs that its addition does not see in training.
    target_modules
        Names, or ends of names, of the layers that are added to; empty: all linear ones but the head.
    """

    rank: int = Field(default=16, ge=1)
    alpha: float = Field(default=32.0, gt=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    target_modules: list[str] = Field(default_factory=list)


def require_peft() -> None:
    """Raise a `QgdrError` that says how to install peft where it is not."""
    if importlib.util.find_spec("peft") is None:
        raise QgdrError("teacher.lora needs peft; pip install peft, or take 'lora' out")


def add_low_rank(model: PreTrainedModel, settings: LoraSettings, seed: int) -> Callable[[], Any]:
    """Freeze a model and add low-rank matrices that are trained instead.

    Parameters
    ----------
    model
        Changed in place.
    settings
        Of the additions.
    seed
        Of their random start, which adds nothing yet.

    Returns
    -------
    callable
        Adds what was learned to the model's own weights, so that it is an ordinary one again.

    Raises
    ------
    QgdrError
        If peft is not installed or the model has none of the layers.
    """
    require_peft()
    import peft

    config = peft.LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=settings.target_modules or "all-linear",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            adapted = peft.get_peft_model(model, config)
        except ValueError as error:
            names = ", ".join(settings.target_modules)
            raise QgdrError(f"teacher.lora.target_modules: the teacher has no layer {names}") from error
    merge: Callable[[], Any] = adapted.merge_and_unload
    return merge
