"""How a corpus is encoded."""

from __future__ import annotations

import dataclasses

from qgdr_pyserini.encode.shards import WHOLE, Shard
from qgdr_pyserini.model.config import NOTHING, EncoderOptions

INDEX_TYPES = ("flat", "fp16", "sq8", "pq", "hnsw", "ivf", "ivfpq")
"""The kinds of index; `index_types` says what writes each."""


@dataclasses.dataclass(frozen=True, slots=True)
class EncodingOptions:
    """How a corpus is encoded.

    Parameters
    ----------
    device
        ``cpu``, ``cuda``, ``cuda:1``, …, or several with commas between; a GPU where there is one when None.
    max_length
        Tokens beyond which a passage is cut off; the encoder's own when None.
    batch_tokens
        Tokens computed at a time, padding included; chosen for the device when None.
    window
        Passages that are sorted by length to make batches, and saved together.
    index_type
        One of `INDEX_TYPES`.
    precision
        ``auto``, ``fp32``, ``bf16``, ``fp16`` or ``int8``.
    shard
        Which part of the corpus to encode; all of it by default.
    settings
        What the encoder's folder says nothing about.
    store
        Whether to keep the passages themselves beside the index.
    """

    device: str | None = None
    max_length: int | None = None
    batch_tokens: int | None = None
    window: int = 1024
    index_type: str = "flat"
    precision: str = "auto"
    shard: Shard = WHOLE
    settings: EncoderOptions = NOTHING
    store: bool = True
