"""What a folder says of its transformer: how long texts may be, and how they are cut into subwords."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from qgdr_pyserini.errors import InputError
from qgdr_pyserini.model.loading import load_config
from qgdr_pyserini.model.modules_json import read_object

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
