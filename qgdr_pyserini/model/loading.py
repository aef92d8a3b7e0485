"""One door for models: a checkpoint by name or path."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import torch
import transformers
from pydantic import Field
from transformers import (
    AutoConfig,
    AutoTokenizer,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
)

from qgdr_pyserini.errors import QgdrError, first_line
from qgdr_pyserini.model.precision import Precision, resolve_precision
from qgdr_pyserini.settings import Settings

Module = TypeVar("Module", bound=torch.nn.Module)

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
_GGUF = ".gguf"
# Encoders can be decoders too, so transformers has a causal head for many a BERT; nobody trains one.
_CAUSAL = (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.keys()
    - MODEL_FOR_MASKED_LM_MAPPING_NAMES.keys()
    - MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES.keys()
)


class ModelSource(Settings):
    """Where a model's weights come from.

    Parameters
    ----------
    checkpoint
        A name on the Hugging Face hub, a folder, or a GGUF file in either (``folder/model.gguf``).
    tokenizer
        Name or folder; the checkpoint's own when empty.
    """

    checkpoint: str = Field(min_length=1)
    tokenizer: str = ""


def load_model(
    source: ModelSource,
    auto_model: Any,
    *,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
    whole: bool = False,
    **options: Any,
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a model with its tokenizer.

    Parameters
    ----------
    source
        Where from.
    auto_model
        The class of transformers that knows the model's head, such as ``AutoModelForSeq2SeqLM``.
    seed
        Of random weights: those of a new head.
    dtype
        Of the weights. A checkpoint's are turned into it as they are read, one after the other.
    whole
        Refuse a checkpoint that lacks weights, such as a head, instead of making random ones.
    options
        Settings of the model's configuration that the caller needs, such as ``num_labels``.

    Raises
    ------
    QgdrError
        If there is no such checkpoint, its files are damaged, or the tokenizer has more tokens than the
        model.
    """
    tokenizer = load_tokenizer(source.tokenizer or source.checkpoint)
    with torch.random.fork_rng(devices=[]), quiet():
        torch.manual_seed(seed)
        model = _from_checkpoint(source.checkpoint, auto_model, dtype, whole, options)
    if len(tokenizer) > model.config.vocab_size:
        raise QgdrError(
            f"{source.tokenizer or source.checkpoint}: the tokenizer has {len(tokenizer):,} tokens, "
            f"the model {model.config.vocab_size:,}; they do not belong together"
        )
    return model, tokenizer


def load_config(checkpoint: str, **options: Any) -> PretrainedConfig:
    """Load a checkpoint's configuration; what fails is a `QgdrError`.

    Parameters
    ----------
    checkpoint
        As for `ModelSource`.
    options
        Of ``from_pretrained``.
    """
    try:
        return AutoConfig.from_pretrained(**_location(checkpoint), **options)
    except QgdrError:
        raise
    except Exception as error:
        raise QgdrError(f"{checkpoint}: no model to load ({first_line(error)})") from error


def is_causal(source: ModelSource) -> bool:
    """Tell whether a model is a causal language model: a decoder alone that predicts the next token.

    A classifier that was made from one, such as ``Qwen2ForSequenceClassification``, is not.
    """
    config = load_config(source.checkpoint)
    classifies = any("Classification" in name for name in config.architectures or ())
    return is_causal_type(config.model_type) and not config.is_encoder_decoder and not classifies


def is_causal_type(model_type: str) -> bool:
    """Tell whether models of a type of transformers are decoders alone.

    Examples
    --------
    >>> [is_causal_type(kind) for kind in ("qwen2", "gpt2", "bert", "mt5", "encoder-decoder")]
    [True, True, False, False, False]
    """
    return model_type in _CAUSAL


def wished_dtype(precision: Precision, device: str) -> torch.dtype:
    """Return the number format that a precision means on a device, which has to be there."""
    try:
        return _DTYPES[resolve_precision(precision, torch.device(device))]
    except (RuntimeError, AssertionError) as error:
        raise _unusable(device, error) from None


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep from stderr which heads a checkpoint has too many or too few: the caller knows what it needs."""
    logging = transformers.utils.logging
    logging.disable_progress_bar()
    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)


def load_tokenizer(name: str) -> PreTrainedTokenizerBase:
    """Load a tokenizer by hub name or folder; what fails is a `QgdrError`."""
    try:
        return AutoTokenizer.from_pretrained(**_location(name))
    except QgdrError:
        raise
    except Exception as error:
        raise QgdrError(f"{name}: no tokenizer can be loaded from it ({first_line(error)})") from error


def place(module: Module, device: str) -> Module:
    """Move a model to a device; one that is absent is a `QgdrError`.

    The number format is `load_model`'s business: to cast a whole model later would also cast the
    frequencies of rotary positions, which bf16 is too coarse for.
    """
    try:
        return module.to(torch.device(device))
    except (RuntimeError, AssertionError) as error:
        raise _unusable(device, error) from None


def _unusable(device: str, error: Exception) -> QgdrError:
    return QgdrError(f"device {device!r} cannot be used ({first_line(error)})")


def _location(checkpoint: str) -> dict[str, str]:
    """Tell transformers where a checkpoint lies: a GGUF file is named beside its folder."""
    path = Path(checkpoint).expanduser()
    if path.suffix == _GGUF:
        if importlib.util.find_spec("gguf") is None:
            raise QgdrError(f"{checkpoint}: to read GGUF files, pip install gguf")
        return {"pretrained_model_name_or_path": str(path.parent), "gguf_file": path.name}
    return {"pretrained_model_name_or_path": str(path) if path.is_dir() else checkpoint}


def _from_checkpoint(
    name: str, auto_model: Any, dtype: torch.dtype, whole: bool, options: dict[str, Any]
) -> PreTrainedModel:
    location = _location(name)
    if "gguf_file" in location:
        options = options | _dense()
    try:
        model, loaded = auto_model.from_pretrained(
            **location, dtype=dtype, output_loading_info=True, **options
        )
    except Exception as error:
        reason = first_line(error)
        raise QgdrError(f"{name}: cannot be loaded as {auto_model.__name__} ({reason})") from error
    if whole and loaded["missing_keys"]:
        lacking = ", ".join(sorted(loaded["missing_keys"])[:3])
        raise QgdrError(
            f"{name}: has no trained head ({lacking}), so its scores would be random; "
            "train it first, as a recipe's teacher"
        )
    if "gguf_file" in location and getattr(model, "hf_quantizer", None) is not None:
        # The weights are ordinary ones by now; what is still called quantised is neither trained nor saved.
        model.hf_quantizer.remove_quantization_config(model)
    return model


def _dense() -> dict[str, Any]:
    """Ask transformers to widen a GGUF file's weights, as it always did before it could leave them packed."""
    config = getattr(transformers, "GgufConfig", None)
    return {} if config is None else {"quantization_config": config(dequantize=True)}
