"""The cross-encoder: query and passage read together, as one text, give one score."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field
from transformers import AutoModelForSequenceClassification, PreTrainedModel, PreTrainedTokenizerBase

from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.hub import Pushable
from qgdr_pyserini.model.loading import ModelSource, load_model
from qgdr_pyserini.model.precision import Precision
from qgdr_pyserini.model.teacher import Pair, Query, Scores, Teacher, TeacherSettings


class CrossEncoderSettings(TeacherSettings):
    """How much text a cross-encoder reads.

    Parameters
    ----------
    max_length
        In tokens, query and passage together; the longer of the two is cut.
    """

    max_length: int = Field(default=256, ge=8)


class CrossEncoder(torch.nn.Module, Pushable, Teacher):
    """Scores a pair by a classification head on a transformer that reads both texts (Nogueira & Cho 2019).

    Parameters
    ----------
    model
        Any sequence classifier of transformers with one output.
    tokenizer
        Its tokenizer.
    settings
        Length.
    batch_size
        Pairs computed at a time.

    Examples
    --------
    >>> teacher = CrossEncoder.from_pretrained("cross-encoder/mmarco-mMiniLMv2-L12-H384-v1")  # doctest: +SKIP
    >>> danube = Passage("1", "Danube", "It rises in the Black Forest.")  # doctest: +SKIP
    >>> teacher.score([Query("Wo entspringt die Donau?", "de")], [danube])  # doctest: +SKIP
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        settings: CrossEncoderSettings,
        *,
        batch_size: int = 32,
    ) -> None:
        super().__init__()
        self.model = model
        self.tokenizer = tokenizer
        self.settings = settings
        self.batch_size = batch_size

    @classmethod
    def from_pretrained(
        cls,
        name: str | os.PathLike[str],
        device: str = "cpu",
        *,
        precision: Precision = "fp32",
        batch_size: int = 32,
    ) -> CrossEncoder:
        """Load a trained one by its name or folder, to score with.

        Parameters
        ----------
        name
            A folder or a name on the Hugging Face hub: what `save_pretrained` wrote, or any sequence
            classifier of transformers with one output.
        device
            ``cpu``, ``cuda``, ``cuda:1``, …
        precision
            Of the weights and of what is computed: ``fp32``, ``bf16``, or ``auto``.
        batch_size
            Pairs computed at a time.

        Raises
        ------
        QgdrError
            If there is no such model, it is of another kind or was never trained for this, or the device is
            absent.
        """
        from qgdr_pyserini.model.teachers import load_teacher  # which knows this class

        name = os.fspath(name)
        teacher = load_teacher(name, kind=cls, device=device, precision=precision, batch_size=batch_size)
        assert isinstance(teacher, cls)
        teacher.folder = Path(name)
        return teacher

    @classmethod
    def load(
        cls,
        source: ModelSource,
        settings: CrossEncoderSettings | None = None,
        *,
        seed: int = 0,
        dtype: torch.dtype = torch.float32,
        whole: bool = False,
        batch_size: int = 32,
    ) -> CrossEncoder:
        """Load a checkpoint, in evaluation mode.

        A checkpoint without a classification head, such as ``xlm-roberta-base``, gets a new one, to be
        trained, unless it has to be ``whole``.

        Parameters
        ----------
        source
            Where from.
        settings
            Length; the one saved with the checkpoint, or the default, when None.
        seed
            Of random weights.
        dtype, whole
            See `qgdr_pyserini.model.loading.load_model`.
        batch_size
            Pairs computed at a time.
        """
        model, tokenizer = load_model(
            source, AutoModelForSequenceClassification, seed=seed, dtype=dtype, whole=whole, num_labels=1
        )
        found = settings or CrossEncoderSettings.saved_or_default(source.checkpoint)
        if tokenizer.pad_token_id is None:
            raise QgdrError(f"{source.tokenizer or source.checkpoint}: its tokenizer has no padding token")
        return cls(model, tokenizer, found, batch_size=batch_size).eval()

    def save_pretrained(self, folder: str | os.PathLike[str]) -> None:
        """Write a folder that `load` and transformers load."""
        self.model.save_pretrained(folder, safe_serialization=True)
        self.tokenizer.save_pretrained(folder)
        self.settings.save(Path(folder))

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    def keep_head_precise(self) -> None:
        """Compute the scores themselves in single precision, whatever the layers below are in.

        bf16 has three digits: of twenty passages, several would have one score.
        """
        head = getattr(self.model, "classifier", None)
        if head is not None:
            head.float().register_forward_pre_hook(lambda _, inputs: tuple(item.float() for item in inputs))

    def forward(self, features: dict[str, torch.Tensor]) -> torch.Tensor:
        """Score tokenised pairs, with gradients: ``(pairs,)``."""
        scores: torch.Tensor = self.model(**features).logits.squeeze(1)
        return scores

    def collate(self, queries: Sequence[Query], passages: Sequence[Passage]) -> dict[str, Any]:
        """Turn pairs, row by row, into what `forward` takes."""
        return {"features": self.tokenize([query.text for query in queries], passages)}

    def tokenize(self, queries: Sequence[str], passages: Sequence[Passage]) -> dict[str, torch.Tensor]:
        """Turn pairs, row by row, into padded features on the model's device."""
        features = self.tokenizer(
            list(queries),
            [f"{p.title} {p.text}".strip() for p in passages],
            padding=True,
            truncation="longest_first",
            max_length=self.settings.max_length,
            return_tensors="pt",
        )
        return {name: tensor.to(self.device) for name, tensor in features.items()}

    @torch.inference_mode()
    def score_pairs(
        self, queries: Sequence[Query], passages: Sequence[Passage], pairs: Sequence[Pair]
    ) -> Scores:
        """Score pairs, those of like length together."""
        scores = np.empty(len(pairs), dtype=np.float32)
        lengths = [len(queries[q].text) + len(passages[p].text) for q, p in pairs]
        order = sorted(range(len(pairs)), key=lengths.__getitem__)
        for start in range(0, len(order), self.batch_size):
            rows = order[start : start + self.batch_size]
            features = self.tokenize(
                [queries[pairs[i].query].text for i in rows], [passages[pairs[i].passage] for i in rows]
            )
            scores[rows] = self(features).float().cpu().numpy()
        return scores
