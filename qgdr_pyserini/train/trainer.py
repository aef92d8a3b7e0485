"""What all training loops share: settings, the Trainer's arguments, processes, and errors."""

from __future__ import annotations

import json
import logging
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from pydantic import Field
from torch import distributed
from torch.distributed.nn.functional import all_gather
from transformers import PreTrainedModel, Trainer, TrainingArguments
from transformers.integrations import is_tensorboard_available
from transformers.trainer_callback import PrinterCallback, TrainerCallback
from transformers.trainer_utils import get_last_checkpoint

from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.inference.batching import is_out_of_memory
from qgdr_pyserini.model.precision import Precision, resolve_precision
from qgdr_pyserini.settings import Settings

Log = list[dict[str, float]]

# Families whose fused attention was measured against the plain one.
_PLAIN_ATTENTION = ("bert", "xlm-roberta")

# Seconds between plain lines about progress.
_PAUSE = 30.0


class TrainingSettings(Settings):
    """What every training loop is told.

    Parameters
    ----------
    steps
        Number of updates.
    batch_size
        Examples an update, over all processes and accumulated batches.
    learning_rate, warmup_ratio
        Peak, and share of the steps that it is risen to over; then it falls to zero linearly.
    precision
        ``bf16`` computes in mixed precision, weights and optimizer stay in fp32; ``auto`` is bf16 where
        the device is faster in it.
    accumulation
        Batches that an update's examples are computed in, one after the other. In-batch negatives
        come from one such batch only.
    save_steps
        Steps between checkpoints; the last two are kept until the stage is complete.
    """

    steps: int = Field(ge=1)
    batch_size: int = Field(default=32, ge=1)
    learning_rate: float = Field(default=1e-5, gt=0)
    warmup_ratio: float = Field(default=0.1, ge=0, lt=1)
    precision: Precision = "fp32"
    accumulation: int = Field(default=1, ge=1)
    save_steps: int = Field(default=500, ge=1)


class Trained(torch.nn.Module):
    """What a Trainer sees: a batch in, a loss out; weights that are tied are saved once."""

    # The Trainer looks this up when names are missing from a checkpoint, as those of tied weights are.
    _keys_to_ignore_on_save = None

    def state_dict(self, *arguments: Any, **options: Any) -> dict[str, Any]:  # type: ignore[override]
        """Return the weights without a second name for the same memory, which safetensors refuses."""
        state: dict[str, Any] = super().state_dict(*arguments, **options)
        seen: set[tuple[int, torch.Size]] = set()
        for name, tensor in list(state.items()):
            place = (tensor.data_ptr(), tensor.shape)
            if place in seen:
                del state[name]
            seen.add(place)
        return state


def training_arguments(settings: TrainingSettings, seed: int, folder: Path, **more: Any) -> TrainingArguments:
    """Make the Trainer's arguments; what is drawn is the data set's business, so its order is kept.

    Parameters
    ----------
    settings
        Of the loop.
    seed
        Of dropout.
    folder
        For checkpoints and TensorBoard logs.
    more
        Arguments that differ from these.

    Raises
    ------
    QgdrError
        If the batch cannot be divided among processes and accumulated batches.
    """
    given: dict[str, Any] = {
        "output_dir": str(folder),
        "max_steps": settings.steps,
        "train_sampling_strategy": "sequential",
        "learning_rate": settings.learning_rate,
        "lr_scheduler_type": "linear",
        "warmup_steps": round(settings.warmup_ratio * settings.steps),
        "optim": "adamw_torch_fused",
        "bf16": _precision(settings.precision) == "bf16",
        "gradient_accumulation_steps": settings.accumulation,
        "save_steps": settings.save_steps,
        "save_total_limit": 2,
        "logging_steps": max(1, min(50, settings.steps // 20)),
        "report_to": ["tensorboard"] if is_tensorboard_available() else [],
        "disable_tqdm": not sys.stderr.isatty(),
        "remove_unused_columns": False,
        "seed": seed,
        "use_cpu": not torch.cuda.is_available(),
    }
    arguments = TrainingArguments(**{**given, **more})
    if "per_device_train_batch_size" not in more:
        parts = arguments.world_size * settings.accumulation
        if settings.batch_size % parts:
            raise QgdrError(
                f"batch_size {settings.batch_size} cannot be divided by {arguments.world_size} processes "
                f"and {settings.accumulation} accumulated batches"
            )
        arguments.per_device_train_batch_size = settings.batch_size // parts
    return arguments


def fit(trainer: Trainer, stage: str, folder: Path) -> Log:
    """Train, going on from the last checkpoint in ``folder``.

    Parameters
    ----------
    trainer
        Whose model raises `FloatingPointError` for a loss that is NaN or infinite.
    stage
        Its name, for messages.
    folder
        Where checkpoints are.

    Returns
    -------
    list of dict
        The Trainer's log: step, loss and learning rate.

    Raises
    ------
    QgdrError
        If the loss is NaN or infinite or memory runs out; says at which step and what to change.
    """
    # The Trainer prints its log row by row, and warns about the second names of tied weights.
    logging.getLogger("transformers.trainer").setLevel(logging.ERROR)
    trainer.remove_callback(PrinterCallback)
    if trainer.args.disable_tqdm:
        trainer.add_callback(_PlainLines(stage))
    _choose_attention(trainer)
    checkpoint = last_checkpoint(folder)
    try:
        trainer.train(resume_from_checkpoint=checkpoint)
    except FloatingPointError:
        raise QgdrError(
            f"{_place(trainer, stage)}: the loss is NaN or infinite; "
            f"lower learning_rate or raise the temperatures; {_kept(folder)}"
        ) from None
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise QgdrError(
            f"{_place(trainer, stage)}: out of memory; "
            f"lower batch_size, raise accumulation or use fewer candidates; {_kept(folder)}"
        ) from None
    return [row for row in trainer.state.log_history if "loss" in row]


def _choose_attention(trainer: Trainer) -> None:
    """Have models attend by plain matrix products where those are faster: on a CPU, in bf16.

    With PyTorch's fused attention the backward pass takes half as long again there. Encoders are for short
    texts, so the scores that this holds in memory are few.
    """
    if trainer.args.bf16 and trainer.args.device.type == "cpu":
        for module in trainer.model.modules():
            if isinstance(module, PreTrainedModel) and module.config.model_type in _PLAIN_ATTENTION:
                module.set_attn_implementation("eager")


def last_checkpoint(folder: Path) -> str | None:
    """Find the last checkpoint that is whole; those that a kill left unfinished are removed."""
    state = processes()
    if state.is_main_process:
        for checkpoint in folder.glob("checkpoint-*"):
            if not _is_whole(checkpoint):
                shutil.rmtree(checkpoint)
    state.wait_for_everyone()
    return get_last_checkpoint(str(folder)) if folder.exists() else None


def _is_whole(checkpoint: Path) -> bool:
    """Tell whether the file that the Trainer writes last is there and ends."""
    try:
        json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return True


def processes() -> PartialState:
    """Return what accelerate knows of the processes of this run: one, or those that torchrun started."""
    return PartialState(cpu=not torch.cuda.is_available())


def computing_in(precision: Precision) -> torch.autocast:
    """Return a context in which this process's device computes in ``fp32``, or mixed with ``bf16``."""
    enabled = _precision(precision) == "bf16"
    return torch.autocast(processes().device.type, torch.bfloat16, enabled=enabled)


def _precision(wanted: Precision) -> str:
    return resolve_precision(wanted, processes().device)


def check_finite(loss: torch.Tensor) -> torch.Tensor:
    """Return a loss; NaN or infinity raises `FloatingPointError`, before it reaches the weights."""
    if not torch.isfinite(loss):
        raise FloatingPointError
    return loss


class _PlainLines(TrainerCallback):  # type: ignore[misc]
    """Says now and then how far a stage has come, where there is no terminal to draw a bar on."""

    def __init__(self, stage: str) -> None:
        self._stage = stage
        self._said = time.monotonic()

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Print the step and the loss."""
        if state.is_world_process_zero and "loss" in (logs or {}) and time.monotonic() - self._said >= _PAUSE:
            self._said = time.monotonic()
            where = f"step {state.global_step:,} of {state.max_steps:,}"
            print(f"{self._stage}: {where}, loss {float(logs['loss']):.4f}", file=sys.stderr, flush=True)


def _place(trainer: Trainer, stage: str) -> str:
    return f"{stage}, step {trainer.state.global_step}"


def _kept(folder: Path) -> str:
    return f"the checkpoints in {folder} are kept"


def gather(rows: torch.Tensor) -> torch.Tensor:
    """Join the rows that all processes hold, with gradients.

    A loss of the joined rows is the same number in every process. Its gradient arrives at the
    rows of a process from all of them, so it is as many times too large as there are processes;
    data-parallel training averages gradients over processes, which makes it exact.

    Parameters
    ----------
    rows
        ``(rows, …)``, of the same shape in every process.

    Returns
    -------
    torch.Tensor
        ``(processes · rows, …)``, in the order of the processes' ranks; ``rows`` itself where
        there is one process.

    Examples
    --------
    >>> gather(torch.tensor([1.0, 2.0]))
    tensor([1., 2.])
    """
    if not distributed.is_initialized() or distributed.get_world_size() == 1:
        return rows
    if rows.requires_grad:
        return torch.cat(all_gather(rows))  # type: ignore[no-untyped-call]
    parts = [torch.empty_like(rows) for _ in range(distributed.get_world_size())]
    distributed.all_gather(parts, rows.contiguous())
    return torch.cat(parts)
