"""An encoder out of a folder that is none of ours: its transformer, its tokenizer, its layers."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch
from tokenizers import normalizers
from transformers import (
    CONFIG_MAPPING,
    AutoModel,
    AutoModelForTextEncoding,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.models.auto.modeling_auto import MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES

from qgdr_pyserini.errors import InputError, QgdrError, first_line
from qgdr_pyserini.model.description import Description, describe
from qgdr_pyserini.model.encoder_options import EncoderOptions
from qgdr_pyserini.model.head import Head, load_head
from qgdr_pyserini.model.loading import load_config, quiet
from qgdr_pyserini.model.modules_json import read_object
from qgdr_pyserini.model.weights import refuse_pickles

_ADAPTER = "adapter_config.json"
_OF_WHOLE_TEXTS = {"dpr"}  # its first output is the pooled vector


@dataclasses.dataclass(frozen=True, slots=True)
class ForeignEncoder:
    """The parts of an encoder."""

    description: Description
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    head: Head | None


def load_foreign(folder: Path, options: EncoderOptions, role: str | None = None) -> ForeignEncoder:
    """Load an encoder that sentence-transformers saved, or a bare transformer, in single precision.

    No code of the folder's is run, and no pickle opened.

    Parameters
    ----------
    folder
        With ``modules.json``, or with ``config.json`` alone.
    options
        What the user says of it.
    role
        ``query`` or ``passage``: which of two towers in the folder.

    Raises
    ------
    QgdrError
        If the folder cannot be used, or says otherwise than the user.
    """
    _refuse_unusable(folder)
    found = describe(folder, options, role)
    model = _load_transformer(found.transformer)
    tokenizer = _load_tokenizer(found.transformer, found.lower_case)
    head = load_head(found.layers, int(model.config.hidden_size), found.prompts.truncate)
    return ForeignEncoder(found, model, tokenizer, head)


def _refuse_unusable(folder: Path) -> None:
    """Name what other libraries would end in a traceback, or a question on the terminal, for."""
    for file in (*folder.glob(_ADAPTER), *folder.glob(f"*/{_ADAPTER}")):
        raise InputError("an adapter; merge it into its model, and save that", file)
    for file in (*folder.glob("config.json"), *folder.glob("*/config.json")):
        content = read_object(file)
        if "auto_map" in content and content.get("model_type") not in CONFIG_MAPPING:
            raise InputError("needs code of its own (auto_map), which is not run here", file)


def _load_transformer(folder: Path) -> PreTrainedModel:
    refuse_pickles(folder)
    config = load_config(str(folder), trust_remote_code=False)
    if config.model_type in _OF_WHOLE_TEXTS:
        raise QgdrError(f"{folder}: a model of type {config.model_type} gives no vectors of tokens to pool")
    # Of an encoder and a decoder, only the encoder; its own configuration may no longer tell of the other.
    two = config.is_encoder_decoder or config.model_type in MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES
    kind = AutoModelForTextEncoding if two else AutoModel
    try:
        with quiet():
            model, loaded = kind.from_pretrained(
                folder,
                dtype=torch.float32,
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
    except Exception as error:
        raise QgdrError(f"{folder}: cannot be loaded as an encoder ({first_line(error)})") from error
    return _whole(model, loaded["missing_keys"], folder)


def _whole(model: PreTrainedModel, missing: set[str], folder: Path) -> PreTrainedModel:
    """Take what random weights would be made for out of a model, where no vector depends on it."""
    lacking = sorted(name for name in missing if not name.startswith("pooler."))
    if lacking or not hasattr(model.config, "hidden_size"):
        what = f"its weights lack {lacking[0]}" if lacking else "not a model of texts alone"
        raise QgdrError(f"{folder}: cannot be loaded as an encoder ({what})")
    if missing:
        model.pooler = None  # A checkpoint of a language model has none, and we read tokens' vectors only.
    model.config.use_cache = False
    return model


def _load_tokenizer(folder: Path, lower_case: bool) -> PreTrainedTokenizerBase:
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:
        raise QgdrError(f"{folder}: no tokenizer can be loaded from it ({first_line(error)})") from error
    if lower_case and tokenizer.is_fast:
        backend = tokenizer.backend_tokenizer
        before = [] if backend.normalizer is None else [backend.normalizer]
        backend.normalizer = normalizers.Sequence([normalizers.Lowercase(), *before])
    return tokenizer
