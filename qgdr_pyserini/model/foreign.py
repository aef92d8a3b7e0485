"""An encoder out of a folder that is none of ours: what the folder says, what is guessed, and the loading."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
from qgdr_pyserini.model.config import EncoderConfig, EncoderOptions, option_for
from qgdr_pyserini.model.head import Head, load_head, refuse_token_layer
from qgdr_pyserini.model.loading import load_config, quiet
from qgdr_pyserini.model.saved_settings import (
    MODULES,
    EncoderPrompts,
    Module,
    read_modules,
    read_object,
    read_pooling,
    read_prompts,
    refuse_pickles,
)

# As sentence-transformers has called it, one name for each family.
_NAMES = ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")

# What changes how a vector is computed, with the only value that is done here.
_ONLY = {"transformer_task": "feature-extraction", "module_output_name": "token_embeddings"}
_NEVER = ("query_expansion", "processing_kwargs", "tokenizer_name_or_path")
_TEXT = {"method": "forward", "method_output_name": "last_hidden_state"}

# What may stand in the arguments for the libraries below without changing a vector in single precision.
_HARMLESS = {"dtype", "torch_dtype", "attn_implementation", "trust_remote_code", "use_fast", "padding_side"}
_ARGUMENTS = tuple(
    f"{what}_{name}" for name in ("kwargs", "args") for what in ("model", "config", "processor", "tokenizer")
)

# Families that count positions from behind the padding's number on: a text has fewer than their table.
_LATE_POSITIONS = {"roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "mpnet", "longformer"}

_UNLIMITED = 1 << 20


_ADAPTER = "adapter_config.json"

_OF_WHOLE_TEXTS = {"dpr"}  # its first output is the pooled vector


@dataclasses.dataclass(frozen=True, slots=True)
class TransformerSettings:
    """How texts go into a transformer.

    Parameters
    ----------
    query_length, passage_length
        Tokens at which they are cut.
    lower_case
        Whether they are put in lower case first.
    """

    query_length: int
    passage_length: int
    lower_case: bool


def read_transformer_settings(folder: Path) -> TransformerSettings:
    """Read a transformer's folder, with ``sentence_bert_config.json`` or without.

    Raises
    ------
    QgdrError
        If there is no model that can be loaded without running code of its own, or something is asked for
        that cannot be done here.
    """
    names = (f"sentence_{name}_config.json" for name in _NAMES)
    path = next((folder / name for name in names if (folder / name).is_file()), folder / "absent")
    content = read_object(path)
    _refuse_foreign(content, path)
    longest = _longest(folder)
    own = _length(content, "max_seq_length", path) or longest
    return TransformerSettings(
        query_length=min(longest, _length(content, "query_length", path) or own),
        passage_length=min(longest, _length(content, "document_length", path) or own),
        lower_case=bool(content.get("do_lower_case", False)),
    )


def is_decoder(folder: Path) -> bool:
    """Tell whether a folder's transformer was made to predict the next token, by what it was saved as."""
    config = load_config(str(folder), trust_remote_code=False)
    saved_as = (config.architectures or [""])[0]
    return saved_as.endswith("ForCausalLM") and bool(getattr(config, "is_causal", True))


def _refuse_foreign(content: dict[str, Any], path: Path) -> None:
    wanted = {key: content[key] for key, value in _ONLY.items() if content.get(key, value) != value}
    wanted |= {key: content[key] for key in _NEVER if content.get(key)}
    modalities = content.get("modality_config", {"text": _TEXT})
    if modalities != {"text": _TEXT}:
        wanted["modality_config"] = modalities
    for name in _ARGUMENTS:
        arguments = content.get(name) or {}
        if set(arguments) - _HARMLESS:
            wanted[name] = arguments
    for key, value in wanted.items():
        raise InputError(f"{key} {value!r} cannot be done here", path)


def _longest(folder: Path) -> int:
    """Return the most tokens that a text may have: the tokenizer's limit, and the table of positions'."""
    config = load_config(str(folder), trust_remote_code=False)
    positions = getattr(config, "max_position_embeddings", None)
    if not isinstance(positions, int) or positions < 1:
        positions = _UNLIMITED
    elif config.model_type in _LATE_POSITIONS:
        positions -= (config.pad_token_id or 0) + 1
    limit = read_object(folder / "tokenizer_config.json").get("model_max_length")
    # Without a limit of its own, a tokenizer may name one of thirty digits.
    return int(min(positions, limit if isinstance(limit, int | float) else _UNLIMITED, _UNLIMITED))


def _length(content: dict[str, Any], key: str, path: Path) -> int | None:
    found = content.get(key)
    if found is not None and (not isinstance(found, int) or found < 3):
        raise InputError(f"{key}: needs a number of tokens from 3 on, not {found!r}", path)
    return found


@dataclasses.dataclass(frozen=True, slots=True)
class Description:
    """An encoder as its folder has it, less the weights.

    Parameters
    ----------
    folder
        The encoder's.
    transformer
        That of its transformer.
    config
        How vectors are made.
    left_open
        Settings of ``config`` that neither the folder nor the user says anything about.
    prompts
        What stands beside the modules.
    layers
        What follows pooling, less a normalisation at the end.
    lower_case
        Whether texts are put in lower case first.
    """

    folder: Path
    transformer: Path
    config: EncoderConfig
    left_open: frozenset[str]
    prompts: EncoderPrompts
    layers: tuple[Module, ...] = ()
    lower_case: bool = False

    def guesses(self) -> Iterator[str]:
        """Yield a sentence for everything that is decided on the user's behalf."""
        guessed = {
            "pooling": f"pooling {self.config.pooling} (--pooling)",
            "normalize": "vectors as they are (--normalize)",
        }
        if "pooling" in self.left_open:
            taken = ", ".join(text for name, text in guessed.items() if name in self.left_open)
            yield f"{self.folder}: says nothing of how it makes one vector of a text; guessed: {taken}"
        elif "normalize" in self.left_open and self.prompts.cosine:
            yield (
                f"{self.folder}: made for cosines, but its vectors are not of length 1, and an index "
                "compares by inner product; --normalize makes both the same"
            )
        if self.prompts.others and {"query_prefix", "passage_prefix"} & self.left_open:
            names = ", ".join(self.prompts.others)
            yield f"{self.folder}: has prompts for other tasks ({names}); --query-prefix takes one's text"


def describe(folder: Path, options: EncoderOptions, role: str | None = None) -> Description:
    """Read a folder that sentence-transformers saved, or that holds a bare transformer.

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
    found = _from_modules(folder, role) if (folder / MODULES).is_file() else _bare(folder)
    refuse_contradiction(folder, found.config, found.left_open, options)
    return dataclasses.replace(
        found,
        config=found.config.model_copy(update=options.given),
        left_open=found.left_open - options.given.keys(),
    )


def refuse_contradiction(
    folder: Path, config: EncoderConfig, left_open: frozenset[str], options: EncoderOptions
) -> None:
    """Raise `QgdrError` if an option says otherwise than an encoder's folder."""
    for name, value in options.given.items():
        said = getattr(config, name)
        if name not in left_open and value != said:
            raise QgdrError(
                f"{folder}: its own files say {name.replace('_', ' ')} {said!r}; leave out "
                f"{option_for(name, value)}, which is for encoders whose files say nothing"
            )


def _bare(folder: Path) -> Description:
    # As sentence-transformers takes it.
    pooling = "lasttoken" if is_decoder(folder) else "mean"
    texts = read_transformer_settings(folder)
    return Description(
        folder=folder,
        transformer=folder,
        config=_config(folder, texts, EncoderPrompts(), pooling, normalize=False),
        left_open=frozenset({"pooling", "normalize", "query_prefix", "passage_prefix"}),
        prompts=EncoderPrompts(),
        lower_case=texts.lower_case,
    )


def _from_modules(folder: Path, role: str | None) -> Description:
    transformer, pooling, *layers = read_modules(folder, role)
    for layer in layers:
        refuse_token_layer(layer)
    prompts = read_prompts(folder)
    texts = read_transformer_settings(transformer.folder)
    kept = tuple(layer for layer in layers if layer.kind != "Dropout")
    normalize = bool(kept) and kept[-1].kind == "Normalize" and prompts.truncate is None
    config = _config(folder, texts, prompts, read_pooling(pooling.folder), normalize=normalize)
    silent = ("normalize", "query_prefix", "passage_prefix")
    return Description(
        folder=folder,
        transformer=transformer.folder,
        config=config,
        left_open=frozenset(name for name in silent if not getattr(config, name)),
        prompts=prompts,
        layers=kept[:-1] if normalize else kept,
        lower_case=texts.lower_case,
    )


def _config(
    folder: Path, texts: TransformerSettings, prompts: EncoderPrompts, pooling: str, *, normalize: bool
) -> EncoderConfig:
    values = {
        "pooling": pooling,
        "normalize": normalize,
        "query_prefix": prompts.query_prefix,
        "passage_prefix": prompts.passage_prefix,
        "query_max_length": texts.query_length,
        "passage_max_length": texts.passage_length,
    }
    return EncoderConfig.checked(values, folder)


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
