"""An encoder of qgdr-pyserini as mteb asks for one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from mteb.models.model_meta import ModelMeta
from mteb.types import PromptType

from qgdr_pyserini import load_encoder

if TYPE_CHECKING:
    from mteb.abstasks.task_metadata import TaskMetadata
    from mteb.types import BatchedInput
    from torch.utils.data import DataLoader


class MtebEncoder:
    """Encodes what mteb hands over: queries as queries, everything else as passages.

    Parameters
    ----------
    model_name
        An encoder's name, a folder, or a name on the hub: whatever `load_encoder` takes.
    revision
        Not used; encoders are folders.
    device
        ``cpu``, ``cuda``, …; chosen when None.
    """

    def __init__(
        self, model_name: str, revision: str | None = None, *, device: str | None = None, **_: Any
    ) -> None:
        self._encoder = load_encoder(model_name, **({"device": device} if device else {}))
        # Results are kept in a folder of this name, which must have an owner before the slash.
        name = model_name if model_name.count("/") == 1 else f"local/{model_name.rstrip('/').split('/')[-1]}"
        self.mteb_model_meta = ModelMeta.create_empty(
            {
                "name": name,
                "revision": self._encoder.fingerprint,
                "embed_dim": self._encoder.dimension,
                "framework": ["PyTorch"],
            }
        )

    def encode(
        self,
        inputs: DataLoader[BatchedInput],
        *,
        task_metadata: TaskMetadata,
        hf_split: str,
        hf_subset: str,
        prompt_type: PromptType | None = None,
        **_: Any,
    ) -> np.ndarray[Any, np.dtype[np.float32]]:
        """Encode texts, ``(texts, dimension)``; prefixes, pooling and lengths are the encoder's own."""
        rows = [row for batch in inputs for row in _rows(batch)]
        if prompt_type == PromptType.query:
            return self._encoder.encode_queries([row["text"] for row in rows])
        # mteb's own text has the title in it, too, joined in its own way.
        bodies = [row.get("body") or row["text"] for row in rows]
        return self._encoder.encode_passages(bodies, [row.get("title") or "" for row in rows])

    def similarity(self, embeddings1: Any, embeddings2: Any) -> Any:
        """Return all inner products, ``(first, second)``."""
        return np.asarray(embeddings1) @ np.asarray(embeddings2).T

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> Any:
        """Return the inner products of pairs, ``(pairs,)``."""
        return (np.asarray(embeddings1) * np.asarray(embeddings2)).sum(axis=1)


def _rows(batch: Any) -> list[dict[str, Any]]:
    """Turn a batch of columns into rows."""
    return [dict(zip(batch, values, strict=True)) for values in zip(*batch.values(), strict=True)]
