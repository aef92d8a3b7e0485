"""The dual encoder: one transformer that maps queries and passages into one space."""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import transformers
from transformers import AutoModel, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from qgdr_pyserini.collection.corpus import join_title
from qgdr_pyserini.errors import QgdrError, first_line
from qgdr_pyserini.model.config import CONFIG_NAME, NOTHING, EncoderConfig, EncoderOptions
from qgdr_pyserini.model.encoder_files import make_compact, rounded, save_sentence_transformers_modules
from qgdr_pyserini.model.foreign import load_foreign, refuse_contradiction
from qgdr_pyserini.model.head import Head
from qgdr_pyserini.model.hub import Pushable
from qgdr_pyserini.model.loading import ModelSource, load_model, place
from qgdr_pyserini.model.padding import pad
from qgdr_pyserini.model.pooling import pool
from qgdr_pyserini.model.registry import is_encoder
from qgdr_pyserini.model.towers import Role, Tower, find_towers

Vectors = npt.NDArray[np.float32]

_PADDED_TO = 8


class DualEncoder(torch.nn.Module, Pushable):
    """A multilingual encoder whose towers for queries and passages share their weights.

    Parameters
    ----------
    model
        A transformer whose first output is token vectors ``(texts, tokens, dimension)``.
    tokenizer
        Its tokenizer.
    config
        Pooling, normalisation, prefixes and lengths.
    head
        Layers between pooling and normalisation; none when None.

    Attributes
    ----------
    folder
        Where it was loaded from.
    left_open
        Settings that a folder of another make says nothing about, and the user neither.
    guesses
        A sentence for everything that was decided on the user's behalf.

    Examples
    --------
    >>> encoder = DualEncoder.from_pretrained("qgdr")
    >>> query = encoder.encode_queries(["Wo entspringt die Donau?"])
    >>> texts = ["It rises in the Black Forest.", "It is a bridge in San Francisco."]
    >>> scores = query @ encoder.encode_passages(texts, ["Danube", "Golden Gate Bridge"]).T
    >>> bool(scores[0, 0] > scores[0, 1])
    True
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        config: EncoderConfig,
        head: Head | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.tokenizer = tokenizer
        self.config = config
        self.head = head
        self.folder: Path | None = None
        self.left_open: frozenset[str] = frozenset()
        self.guesses: tuple[str, ...] = ()

    @classmethod
    def from_pretrained(
        cls,
        name: str | os.PathLike[str],
        device: str = "cpu",
        options: EncoderOptions = NOTHING,
        role: Role | None = None,
    ) -> DualEncoder:
        """Load an encoder, in single precision, ready to encode.

        Parameters
        ----------
        name
            A folder: what `save_pretrained` wrote, or sentence-transformers; or a bare transformer. As text,
            also ``qgdr`` or another name under ``encoders/``, or a name on the Hugging Face hub.
        device
            ``cpu``, ``cuda``, ``cuda:1``, …
        options
            What the folder says nothing about.
        role
            ``query`` or ``passage``: which of two encoders, where ``name`` names two; see `find_towers`.

        Raises
        ------
        QgdrError
            If there is no such encoder, it cannot be used here, its files are damaged, they say otherwise
            than ``options``, or the device is absent.
        """
        return cls.from_tower(find_towers(name).of(role), device, options)

    @classmethod
    def from_tower(cls, tower: Tower, device: str = "cpu", options: EncoderOptions = NOTHING) -> DualEncoder:
        """Load one tower of an encoder that may have two; see `from_pretrained`."""
        path = tower.folder
        ours = (path / CONFIG_NAME).exists() or not is_encoder(path)
        encoder = cls._from_ours(path, options) if ours else cls._from_foreign(tower, options)
        encoder.folder = path
        return encoder.to_device(device)

    @classmethod
    def _from_ours(cls, path: Path, options: EncoderOptions) -> DualEncoder:
        config = EncoderConfig.load(path)
        refuse_contradiction(path, config, frozenset(), options)
        # A local folder loads in a moment; a bar for it would stand in logs and beside error lines.
        transformers.utils.logging.disable_progress_bar()
        try:
            model = AutoModel.from_pretrained(path, dtype=torch.float32, local_files_only=True)
            tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
        except Exception as error:
            raise QgdrError(f"{path}: cannot be loaded as an encoder ({first_line(error)})") from error
        return cls(model, tokenizer, config).eval()

    @classmethod
    def _from_foreign(cls, tower: Tower, options: EncoderOptions) -> DualEncoder:
        found = load_foreign(tower.folder, options, tower.role)
        encoder = cls(found.model, found.tokenizer, found.description.config, found.head).eval()
        encoder.left_open = found.description.left_open
        encoder.guesses = tuple(found.description.guesses())
        return encoder

    @classmethod
    def from_source(cls, source: ModelSource, config: EncoderConfig, *, seed: int = 0) -> DualEncoder:
        """Start an encoder from any transformer, to be trained.

        Parameters
        ----------
        source
            A checkpoint such as ``xlm-roberta-base``.
        config
            Pooling, normalisation, prefixes and lengths.
        seed
            Of random weights.
        """
        model, tokenizer = load_model(source, AutoModel, seed=seed)
        return cls(model, tokenizer, config).eval()

    def to_device(self, device: str) -> DualEncoder:
        """Move the weights to ``device``; a device that is absent is a `QgdrError`."""
        return place(self.float(), device)

    def save_pretrained(self, folder: str | os.PathLike[str], dtype: torch.dtype | None = None) -> None:
        """Write a folder that `AutoModel`, sentence-transformers and `from_pretrained` load.

        Parameters
        ----------
        folder
            Where to; made if missing.
        dtype
            Precision of the weights on disk; as they are when None. In one of 8 bits, vectors (biases and
            the weights of normalisations, a hundredth of the whole) stay as they are.

        Raises
        ------
        QgdrError
            If it has layers behind pooling, for which our format has no place.
        """
        if self.head is not None:
            raise QgdrError(f"{self.folder}: has layers behind pooling (Dense), which are not saved")
        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        weights = {name: rounded(tensor, dtype) for name, tensor in self.model.state_dict().items()}
        self.model.save_pretrained(path, state_dict=weights, safe_serialization=True)
        self.tokenizer.save_pretrained(path)
        make_compact(path / "tokenizer.json")
        self.config.save(path)
        save_sentence_transformers_modules(path, self.config, self.dimension)

    @property
    def dimension(self) -> int:
        """Number of components of a vector."""
        return int(self.model.config.hidden_size) if self.head is None else self.head.dimension

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    @property
    def fingerprint(self) -> str:
        """Digest of weights, vocabulary and settings: equal where vectors are comparable."""
        return self.fingerprint_with(self.config)

    def fingerprint_with(self, config: EncoderConfig) -> str:
        """Return what `fingerprint` would be with other settings."""
        digest = self._contents.copy()
        digest.update(repr(config).encode())
        return f"sha256:{digest.hexdigest()[:16]}"

    def settle(self, config: EncoderConfig) -> None:
        """Take settings for what the encoder's folder leaves open, for good."""
        self.config, self.left_open, self.guesses = config, frozenset(), ()

    @functools.cached_property
    def _contents(self) -> Any:
        """Digest of all but the settings, to be gone on with."""
        digest = hashlib.sha256()
        _digest_weights(digest, self.model)
        digest.update(json.dumps(self.tokenizer.get_vocab(), sort_keys=True).encode())
        if self.head is not None:
            digest.update(repr(self.head).encode())
            _digest_weights(digest, self.head)
        return digest

    def __getstate__(self) -> dict[str, Any]:
        # A copy makes its own: a digest that can be gone on with cannot be copied with the rest.
        return {name: value for name, value in self.__dict__.items() if name != "_contents"}

    def forward(self, features: dict[str, torch.Tensor]) -> torch.Tensor:
        """Encode tokenised texts, with gradients.

        Parameters
        ----------
        features
            ``input_ids`` and ``attention_mask``, each ``(texts, tokens)``.

        Returns
        -------
        torch.Tensor
            ``(texts, dimension)``.
        """
        states = self.model(**features)[0].float()
        return pool(states, features["attention_mask"], self.config, self.head)

    def encode_queries(
        self, queries: Sequence[str], batch_size: int = 64, max_length: int | None = None
    ) -> Vectors:
        """Encode queries.

        Parameters
        ----------
        queries
            Texts in any language.
        batch_size
            How many are computed at a time.
        max_length
            Length in tokens to cut at; the encoder's own when None.

        Returns
        -------
        numpy.ndarray
            float32, ``(queries, dimension)``, contiguous, in the order given.
        """
        texts = [self.config.query_prefix + query for query in queries]
        tokens = self._tokens(texts, max_length or self.config.query_max_length)
        return self._encode(tokens, batch_size)

    def encode_passages(
        self,
        texts: Sequence[str],
        titles: Sequence[str] | None = None,
        batch_size: int = 64,
        max_length: int | None = None,
    ) -> Vectors:
        """Encode passages.

        Parameters
        ----------
        texts
            The passages' text.
        titles
            Their titles, put before the text on a line of their own; an empty one is left out.
        batch_size
            How many are computed at a time.
        max_length
            Length in tokens to cut at; the encoder's own when None.

        Returns
        -------
        numpy.ndarray
            float32, ``(passages, dimension)``, contiguous, in the order given.
        """
        tokens = self.passage_tokens(texts, titles, max_length)
        return self._encode(tokens, batch_size)

    def passage_tokens(
        self, texts: Sequence[str], titles: Sequence[str] | None = None, max_length: int | None = None
    ) -> list[list[int]]:
        """Turn passages into token numbers, as `encode_passages` does; see there for the parameters."""
        return self._tokens(self._as_read(texts, titles), max_length or self.config.passage_max_length)

    def passage_lengths(self, texts: Sequence[str], titles: Sequence[str] | None = None) -> list[int]:
        """Count the tokens that passages have before they are cut, special tokens and prefix included."""
        return [len(tokens) for tokens in self._tokens(self._as_read(texts, titles), None)]

    def _as_read(self, texts: Sequence[str], titles: Sequence[str] | None) -> list[str]:
        """Put titles and prefix before texts."""
        if titles is not None:
            texts = [join_title(title, text) for title, text in zip(titles, texts, strict=True)]
        return [self.config.passage_prefix + text for text in texts]

    @torch.inference_mode()
    def encode_tokens(self, tokens: Sequence[Sequence[int]]) -> Vectors:
        """Encode texts that are token numbers already, as one batch.

        Parameters
        ----------
        tokens
            Token numbers of every text, special tokens included.

        Returns
        -------
        numpy.ndarray
            float32, ``(texts, dimension)``, contiguous, in the order given.
        """
        width = self._width(max(map(len, tokens)))
        ids, mask = pad(tokens, self._padding, width=width, device=self.device)
        vectors: Vectors = self({"input_ids": ids, "attention_mask": mask}).cpu().numpy()
        return vectors

    def tokenize(self, texts: Sequence[str], max_length: int) -> dict[str, torch.Tensor]:
        """Turn texts into padded ``input_ids`` and ``attention_mask``, cut at ``max_length`` tokens."""
        features = self.tokenizer(
            list(texts),
            padding=True,
            truncation=True,
            max_length=max_length,
            return_token_type_ids=False,
            return_tensors="pt",
        )
        return dict(features)

    def _tokens(self, texts: Sequence[str], max_length: int | None) -> list[list[int]]:
        """Turn texts into token numbers, uncut where there is no ``max_length``."""
        if not texts:
            return []
        encoded = self.tokenizer(
            list(texts),
            truncation=max_length is not None,
            max_length=max_length,
            return_token_type_ids=False,
            return_attention_mask=False,
            verbose=False,  # what is longer than the encoder takes is meant to be, where it is not cut
        )
        # Without special tokens, an empty text has none at all, and no vector.
        return [tokens or [self._padding] for tokens in encoded["input_ids"]]

    @property
    def _padding(self) -> int:
        """The token to fill up with; any does where a tokenizer has none for it, since none looks at it."""
        return self.tokenizer.pad_token_id or 0

    def _encode(self, tokens: Sequence[Sequence[int]], batch_size: int) -> Vectors:
        vectors = np.empty((len(tokens), self.dimension), dtype=np.float32)
        # Texts of one padded length share a batch: little is computed on padding, and a text's vector is to
        # the last bit the same whatever it is encoded with, so that rankings do not depend on batch sizes.
        by_width: dict[int, list[int]] = {}
        for number, text in enumerate(tokens):
            by_width.setdefault(self._width(len(text)), []).append(number)
        for group in by_width.values():
            for start in range(0, len(group), batch_size):
                rows = group[start : start + batch_size]
                vectors[rows] = self.encode_tokens([tokens[i] for i in rows])
        return vectors

    def _width(self, length: int) -> int:
        """Give the length that a text is padded to, at least."""
        longest = getattr(self.model.config, "max_position_embeddings", length)
        return max(length, min(-(-length // _PADDED_TO) * _PADDED_TO, longest))


def _digest_weights(digest: Any, module: torch.nn.Module) -> None:
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(name.encode())
        # Half precision on disk and single in memory are the same encoder.
        digest.update(tensor.detach().float().cpu().contiguous().numpy().tobytes())
