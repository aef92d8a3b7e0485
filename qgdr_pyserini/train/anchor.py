"""The student before, as an anchor: passages stay where it saw them, and only questions are computed."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from pydantic import Field

from qgdr_pyserini.losses.distillation import distillation_loss
from qgdr_pyserini.model.dual_encoder import DualEncoder, Vectors
from qgdr_pyserini.model.padding import Chunks, encode_chunks
from qgdr_pyserini.settings import Settings


class AnchorSettings(Settings):
    """What is held where the student before had it.

    A passage costs ten times a question. With their vectors standing still, a step of hundreds of questions
    is cheap, and every question is compared with all passages, not with a batch's.

    Parameters
    ----------
    passages, hold
        So many passages, drawn anew at each step, are computed all the same, and drawn to their own vectors
        with this weight: the two towers share their weights, so passages would drift otherwise.
    translations, temperature
        Weight and temperature of the alignment of translations over all passages: a replayed text ranks
        them as the student before ranks them for its English.
    cosine
        How strongly a replayed text is drawn to the vector that its English had (Reimers and Gurevych 2020),
        beside that.
    """

    passages: int = Field(default=16, ge=1)
    hold: float = Field(default=4.0, ge=0)
    translations: float = Field(default=1.0, ge=0)
    temperature: float = Field(default=0.02, gt=0)
    cosine: float = Field(default=1.0, ge=0)


Held = tuple[Chunks, torch.Tensor]
"""Passages that a step computes: their texts, and their places among all of them."""


class Anchor:
    """The student before: a copy of it, and its vectors of all passages.

    Not a module, so that it is neither trained nor part of a checkpoint.

    Parameters
    ----------
    encoder
        The student, before it is trained.
    passages
        Contents by docid.
    vectors
        Of the passages, in their order, ``(passages, dimension)``.
    settings
        Weights.

    Examples
    --------
    >>> from qgdr_pyserini.model.registry import find_encoder
    >>> encoder = DualEncoder.from_pretrained(find_encoder("qgdr"))
    >>> texts = {"p1": "It rises in the Black Forest.", "p2": "It is a bridge."}
    >>> anchor = Anchor(encoder, texts, encoder.encode_passages(list(texts.values())), AnchorSettings())
    >>> anchor.places["p2"], round(float(anchor.hold(anchor.vectors, torch.tensor([0, 1]))), 6)
    (1, 0.0)
    """

    def __init__(
        self,
        encoder: DualEncoder,
        passages: Mapping[str, str],
        vectors: Vectors,
        settings: AnchorSettings,
    ) -> None:
        self.settings = settings
        self.contents = list(passages.values())
        self.places = {docid: place for place, docid in enumerate(passages)}
        self.vectors = torch.from_numpy(vectors).to(encoder.device)
        self._before = copy.deepcopy(encoder).eval().requires_grad_(False)

    def to(self, device: torch.device) -> None:
        """Follow the student, which the Trainer moves to its device."""
        if self.vectors.device != device:
            self.vectors, self._before = self.vectors.to(device), self._before.to(device)

    @torch.no_grad()
    def encode(self, texts: Chunks) -> torch.Tensor:
        """Encode texts as the student before does, ``(texts, dimension)``."""
        return encode_chunks(self._before, texts)

    def hold(self, vectors: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """Tell how far passages have moved, as a scalar: one less the mean cosine, times the weight."""
        return self.settings.hold * _distance(vectors, self.vectors[places])

    def follow(self, vectors: torch.Tensor, english: torch.Tensor) -> torch.Tensor:
        r"""Bring texts near their English: its ranking of all passages P, and its place.

        .. math:: L = w \, \mathrm{KL}\left( \mathrm{softmax}(s(e, P) / \tau) \,\|\,
            \mathrm{softmax}(s(x, P) / \tau) \right) + c \, (1 - \cos(e, x))

        Parameters
        ----------
        vectors
            Of the texts x by the student, ``(texts, dimension)``.
        english
            Of their English e by the student before, likewise.

        Returns
        -------
        torch.Tensor
            A scalar.
        """
        settings, tau = self.settings, self.settings.temperature
        loss = settings.cosine * _distance(vectors, english)
        if settings.translations:
            scores = vectors @ self.vectors.T, english @ self.vectors.T
            everything = torch.ones_like(scores[0], dtype=torch.bool)
            loss = loss + settings.translations * distillation_loss(*scores, everything, tau, tau)
        return loss


def _distance(vectors: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    return 1 - torch.nn.functional.cosine_similarity(vectors, others).mean()


def draw_places(count: int, size: int, seed: Sequence[int]) -> list[int]:
    """Draw places of passages to hold, each at most once.

    Examples
    --------
    >>> draw_places(3, 9, [0, 0])
    [0, 1, 2]
    """
    rng = np.random.default_rng(seed)
    return sorted(rng.choice(count, min(count, size), replace=False).tolist())
