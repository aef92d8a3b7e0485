"""How large a model is, without its weights: for estimates."""

from __future__ import annotations

import contextlib
from typing import NamedTuple

import torch
from transformers import AutoModel, PretrainedConfig

from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.loading import is_causal_type, load_config
from qgdr_pyserini.model.registry import find_own_encoder


class ModelSize(NamedTuple):
    """Numbers of parameters.

    Parameters
    ----------
    body
        Those that every token is multiplied with; of an encoder-decoder, its encoder's and
        decoder's together.
    embeddings
        Those that are looked up; of both ends where they are not tied.
    dimension, vocabulary
        Of the embeddings.
    two_ends
        Whether it is an encoder-decoder.
    """

    body: int
    embeddings: int
    dimension: int
    vocabulary: int
    two_ends: bool = False

    @property
    def parameters(self) -> int:
        """All of them."""
        return self.body + self.embeddings


# Of well-known checkpoints: a plan is no reason to reach for the hub.
_KNOWN = {
    "xlm-roberta-base": ModelSize(85_647_360, 192_396_288, 768, 250_002),
    "bert-base-multilingual-cased": ModelSize(85_646_592, 92_206_848, 768, 119_547),
    "sentence-transformers/all-MiniLM-L6-v2": ModelSize(10_992_768, 11_720_448, 384, 30_522),
    "intfloat/multilingual-e5-small": ModelSize(21_639_552, 96_014_208, 384, 250_037),
    "Qwen/Qwen2.5-Coder-0.5B-Instruct": ModelSize(357_898_112, 136_134_656, 896, 151_936),
    "google/mt5-small": ModelSize(44_088_192, 256_114_688, 512, 250_112, True),
    "google/mt5-base": ModelSize(198_229_248, 384_172_032, 768, 250_112, True),
    "google/mt5-large": ModelSize(717_351_936, 512_229_376, 1024, 250_112, True),
}


def checkpoint_size(name: str) -> ModelSize | None:
    """Size a checkpoint by its configuration; None where it cannot be had and is not known."""
    with contextlib.suppress(QgdrError):  # what is no encoder of ours may be any transformer
        name = str(find_own_encoder(name))
    if name in _KNOWN:
        return _KNOWN[name]
    try:
        return _size(load_config(name, local_files_only=True))
    except Exception:
        return None


def _size(config: PretrainedConfig) -> ModelSize:
    with torch.device("meta"):
        model = AutoModel.from_config(config)
    embedding = model.get_input_embeddings().weight
    vocabulary, dimension = embedding.shape
    total = sum(parameter.numel() for parameter in model.parameters())
    # An encoder has no second end, and a decoder's head is left out of what `AutoModel` makes.
    writes = config.is_encoder_decoder or is_causal_type(config.model_type)
    tied = not writes or config.tie_word_embeddings
    count = embedding.numel()
    ends = config.is_encoder_decoder
    return ModelSize(total - count, count * (1 if tied else 2), dimension, vocabulary, ends)
