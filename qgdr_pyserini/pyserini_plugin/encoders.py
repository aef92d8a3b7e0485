"""Our encoders, as Pyserini's encoder classes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from pyserini.encode import DocumentEncoder, QueryEncoder

from qgdr_pyserini.pyserini_plugin import hook
from qgdr_pyserini.pyserini_plugin.commands import one_line_errors

if TYPE_CHECKING:
    from qgdr_pyserini.model.dual_encoder import DualEncoder
    from qgdr_pyserini.model.towers import Role

KEY = "qgdr"
"""Under which our encoders stand in Pyserini's tables."""

Vector = npt.NDArray[np.float32]


class QgdrQueryEncoder(QueryEncoder):  # type: ignore[misc]
    """Encodes queries for `pyserini.search.faiss`.

    Parameters
    ----------
    encoder_dir
        ``qgdr`` or another name under ``encoders/``, ``qgdr:PATH``, ``qgdr:NAME`` for one on the
        Hugging Face hub, or a path; ``qgdr:A+B`` where A encodes questions and B passages.
    device
        ``cpu``, ``cuda:0``, …
    prefix
        Text put before every query, followed by a space, on top of the encoder's own prefix.
    **kwargs
        Ignored: Pyserini passes ``pooling``, ``l2_norm``, ``tokenizer_name``, ``fp16`` and others
        that an encoder of ours saves with its weights.

    Raises
    ------
    QgdrError
        If there is no such encoder.

    Examples
    --------
    >>> from pyserini.search.faiss import FaissSearcher
    >>> encoder = QgdrQueryEncoder("qgdr")  # doctest: +SKIP
    >>> searcher = FaissSearcher("indexes/xquad.qgdr", encoder)  # doctest: +SKIP
    """

    def __init__(
        self, encoder_dir: str = "qgdr", *, device: str = "cpu", prefix: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__()
        self.name: str | None = encoder_dir
        self.encoder = load_encoder(encoder_dir, device, "query")
        self.prefix = f"{prefix} " if prefix else ""
        self.has_model = True

    @classmethod
    def wrapping(cls, encoder: DualEncoder) -> QgdrQueryEncoder:
        """Make one of an encoder that is loaded already."""
        made = cls.__new__(cls)
        QueryEncoder.__init__(made)
        made.name, made.encoder, made.prefix, made.has_model = None, encoder, "", True
        return made

    def encode(self, query: str, max_length: int | None = None, **kwargs: Any) -> Vector:
        """Encode one query.

        Parameters
        ----------
        query
            Its text, in any language.
        max_length
            Tokens to cut at, where that is shorter than the encoder's own length.

        Returns
        -------
        numpy.ndarray
            float32, ``(dimension,)``.
        """
        vector: Vector = self.encode_batch([query], max_length)[0]
        return vector

    def encode_batch(self, queries: Sequence[str], max_length: int | None = None, **kwargs: Any) -> Vector:
        """Encode queries, each to the same vector as `encode` gives it.

        Parameters
        ----------
        queries
            Their texts.
        max_length
            Tokens to cut at, where that is shorter than the encoder's own length.

        Returns
        -------
        numpy.ndarray
            float32, ``(queries, dimension)``.
        """
        # Not before: the index that is searched may have said it in the meantime.
        tell_guesses(self.encoder)
        texts = [self.prefix + query for query in queries]
        length = _shorter(max_length, self.encoder.config.query_max_length)
        return self.encoder.encode_queries(texts, max_length=length)


class QgdrDocumentEncoder(DocumentEncoder):  # type: ignore[misc]
    """Encodes passages for ``python -m pyserini.encode``.

    Parameters
    ----------
    model_name
        As `QgdrQueryEncoder`'s ``encoder_dir``.
    device
        ``cpu``, ``cuda:0``, …
    **kwargs
        Ignored, as there.

    Raises
    ------
    QgdrError
        If there is no such encoder.
    """

    def __init__(self, model_name: str = "qgdr", *, device: str = "cpu", **kwargs: Any) -> None:
        self.encoder = load_encoder(model_name, device, "passage")
        tell_guesses(self.encoder)
        self.has_model = True

    def encode(
        self,
        texts: Sequence[str],
        titles: Sequence[str | None] | None = None,
        fp16: bool = False,
        max_length: int | None = None,
        add_sep: bool = False,
        **kwargs: Any,
    ) -> Vector:
        """Encode passages.

        Parameters
        ----------
        texts, titles
            What is encoded; a title goes before its text.
        fp16, add_sep
            Ignored: vectors are float32, and title and text are joined as in training.
        max_length
            Tokens to cut at, where that is shorter than the encoder's own length.

        Returns
        -------
        numpy.ndarray
            float32, ``(texts, dimension)``, contiguous.
        """
        length = _shorter(max_length, self.encoder.config.passage_max_length)
        heads = None if titles is None else [title or "" for title in titles]
        return self.encoder.encode_passages(texts, heads, max_length=length)


def load_encoder(name: str, device: str, role: Role) -> DualEncoder:
    """Load the encoder that ``name`` means for a role; a wrong one is one line under a Pyserini command."""
    from qgdr_pyserini.model.dual_encoder import DualEncoder
    from qgdr_pyserini.model.inference.precision import lay_out

    with one_line_errors():
        return lay_out(DualEncoder.from_pretrained(name, device, role=role))


def tell_guesses(encoder: DualEncoder) -> None:
    """Print once what was guessed of an encoder, and have it stay so."""
    for guess in encoder.guesses:
        print(guess, file=sys.stderr)
    encoder.settle(encoder.config)


def _shorter(wanted: int | None, own: int) -> int:
    # Pyserini's commands pass a default of 256, which must not lengthen what was trained shorter.
    return min(wanted, own) if wanted else own


def register(module: ModuleType) -> None:
    """Put our encoders first in the tables of `pyserini.encode`, in place."""
    put_first(module.query_encoder_class_map, KEY, QgdrQueryEncoder)
    put_first(module.document_encoder_class_map, KEY, QgdrDocumentEncoder)


def put_first(table: dict[str, Any], key: str, value: Any) -> None:
    """Make ``key`` the first of ``table``, in place.

    Examples
    --------
    >>> table = {"dpr": 1, "auto": 2}
    >>> put_first(table, "qgdr", 3)
    >>> table
    {'qgdr': 3, 'dpr': 1, 'auto': 2}
    """
    others = {name: entry for name, entry in table.items() if name != key}
    table.clear()
    table[key] = value
    table.update(others)


# Where importing this module is what imported `pyserini.encode`, the shim came too early.
if hook.installed():
    register(sys.modules["pyserini.encode"])
