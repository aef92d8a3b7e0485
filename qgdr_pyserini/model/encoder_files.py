"""What is written of an encoder beside its weights, and how these are rounded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from qgdr_pyserini.files import atomic_text
from qgdr_pyserini.model.config import EncoderConfig

_POOLING_FLAGS = {
    "max": "pooling_mode_max_tokens",
    "weightedmean": "pooling_mode_weightedmean_tokens",
    "lasttoken": "pooling_mode_lasttoken",
}


def rounded(tensor: torch.Tensor, dtype: torch.dtype | None) -> torch.Tensor:
    """Round a weight for the disk; in 8 bits, vectors (biases and norms) stay as they are."""
    if dtype is None or not tensor.is_floating_point() or (dtype.itemsize == 1 and tensor.dim() < 2):
        return tensor
    return tensor.to(dtype)


def make_compact(tokenizer: Path) -> None:
    """Write a tokenizer's file without the spaces and lines that are more than half of a large one."""
    if tokenizer.is_file():
        content = json.loads(tokenizer.read_text(encoding="utf-8"))
        with atomic_text(tokenizer) as file:
            json.dump(content, file, ensure_ascii=False, separators=(",", ":"))


def save_sentence_transformers_modules(folder: Path, config: EncoderConfig, dimension: int) -> None:
    """Describe the encoder to sentence-transformers: transformer, pooling, normalisation."""
    kinds = ["Transformer", "Pooling"] + ["Normalize"] * config.normalize
    names = ["", "1_Pooling", "2_Normalize"]
    modules = [
        {"idx": i, "name": str(i), "path": names[i], "type": f"sentence_transformers.models.{kind}"}
        for i, kind in enumerate(kinds)
    ]
    pooling = {
        "word_embedding_dimension": dimension,
        "pooling_mode_cls_token": config.pooling == "cls",
        "pooling_mode_mean_tokens": config.pooling == "mean",
    }
    if config.pooling not in ("cls", "mean"):
        pooling[_POOLING_FLAGS[config.pooling]] = True
    prompts = {"query": config.query_prefix, "document": config.passage_prefix}
    similarity = {"prompts": prompts, "similarity_fn_name": "cosine" if config.normalize else "dot"}
    _write_json(folder / "modules.json", modules)
    _write_json(folder / "1_Pooling" / "config.json", pooling)
    _write_json(folder / "config_sentence_transformers.json", similarity)
    _write_json(folder / "sentence_bert_config.json", {"max_seq_length": config.passage_max_length})


def _write_json(path: Path, value: Any) -> None:
    with atomic_text(path) as file:
        json.dump(value, file, indent=2)
        file.write("\n")
