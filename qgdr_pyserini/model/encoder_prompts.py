"""``config_sentence_transformers.json``: what is put before texts, and how vectors are compared."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from qgdr_pyserini.errors import InputError
from qgdr_pyserini.model.modules_json import read_object

FILE = "config_sentence_transformers.json"

_QUERY = ("query",)
_PASSAGE = ("document", "passage", "corpus")
_DENSE = "SentenceTransformer"


@dataclasses.dataclass(frozen=True, slots=True)
class EncoderPrompts:
    """What sentence-transformers says of a whole encoder.

    Parameters
    ----------
    query_prefix, passage_prefix
        What is put before queries and passages.
    others
        Names of prompts for other tasks.
    cosine
        Whether vectors are compared by cosine.
    truncate
        Components to keep of a vector; all when None.
    """

    query_prefix: str = ""
    passage_prefix: str = ""
    others: tuple[str, ...] = ()
    cosine: bool = True
    truncate: int | None = None


def read_prompts(folder: Path) -> EncoderPrompts:
    """Read an encoder's prompts, by role.

    The library writes an empty prompt ``document`` beside one that is called ``passage``, so the first of
    a role that is not empty is taken.

    Raises
    ------
    InputError
        If the encoder is of another kind (sparse, of many vectors, a cross-encoder), or a value is no text.
    """
    path = folder / FILE
    content = read_object(path)
    if content.get("model_type", _DENSE) != _DENSE:
        raise InputError(f"a {content['model_type']} gives no single dense vector of a text", path)
    prompts = content.get("prompts") or {}
    if not isinstance(prompts, dict) or not all(isinstance(text, str) for text in prompts.values()):
        raise InputError("prompts: needs a text for every name", path)
    given = {name: text for name, text in prompts.items() if text}
    return EncoderPrompts(
        query_prefix=next((given[name] for name in _QUERY if name in given), ""),
        passage_prefix=next((given[name] for name in _PASSAGE if name in given), ""),
        others=tuple(sorted(given.keys() - {*_QUERY, *_PASSAGE})),
        cosine=(content.get("similarity_fn_name") or "cosine") == "cosine",
        truncate=_truncate(content, path),
    )


def _truncate(content: dict[str, Any], path: Path) -> int | None:
    found = content.get("truncate_dim")
    if found is not None and (not isinstance(found, int) or found < 1):
        raise InputError(f"truncate_dim: needs a number of components, not {found!r}", path)
    return found
