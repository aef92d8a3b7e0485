"""Small encoders of other makes: bare transformers, and what sentence-transformers saves of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.models import Pooling, Transformer
from transformers import AutoConfig, AutoModel, AutoTokenizer

WIDTH = 32

# What every model has, and what the families call it.
_SIZE = {"hidden_size": WIDTH, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
_FAMILIES: dict[str, dict[str, Any]] = {
    "bert": _SIZE | {"max_position_embeddings": 128},
    "xlm-roberta": _SIZE | {"max_position_embeddings": 66, "pad_token_id": 0},
    "mpnet": _SIZE | {"max_position_embeddings": 66, "pad_token_id": 0},
    "qwen2": _SIZE | {"num_key_value_heads": 1, "max_position_embeddings": 128},
    "gpt2": {"n_embd": WIDTH, "n_layer": 2, "n_head": 2, "n_positions": 128},
    "t5": {"d_model": WIDTH, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_heads": 2},
}


def bare_transformer(
    folder: Path, tokenizer_of: Path, family: str = "bert", *, padding_side: str = "right"
) -> Path:
    """Save a transformer with random weights, and the tokenizer of another folder."""
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_of)
    tokenizer.padding_side = padding_side
    torch.manual_seed(11)
    model = AutoModel.from_config(
        AutoConfig.for_model(family, vocab_size=len(tokenizer), **_FAMILIES[family])
    )
    with torch.no_grad():  # weights as uneven as training makes them
        for weights in model.parameters():
            weights.mul_(3 if weights.dim() > 1 else 1)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def saved_by_sentence_transformers(
    folder: Path,
    transformer: Path,
    pooling: str = "mean",
    layers: Sequence[torch.nn.Module] = (),
    prompts: dict[str, str] | None = None,
    max_length: int | None = None,
) -> SentenceTransformer:
    """Save an encoder as sentence-transformers does, and return it."""
    modules = [Transformer(str(transformer)), Pooling(WIDTH, pooling), *layers]
    encoder = SentenceTransformer(modules=modules, prompts=prompts, device="cpu")
    if max_length is not None:
        encoder.max_seq_length = max_length
    encoder.save_pretrained(str(folder))
    return encoder


def edit(path: Path, change: Callable[[Any], object]) -> None:
    """Change a JSON file."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def assert_close(ours: Any, theirs: Any) -> None:
    """Compare to 1e-6 of what is computed with: components of vectors not of length 1 may exceed 1."""
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6 * max(1, np.abs(theirs).max()))
