"""From a corpus to an index: read, batch, encode, append, assemble."""

from __future__ import annotations

import dataclasses
import itertools
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from qgdr_pyserini.collection.corpus import Passage, read_corpus
from qgdr_pyserini.encode.index_types import INDEX_TYPES
from qgdr_pyserini.encode.manifest import IndexManifest
from qgdr_pyserini.encode.progress import Advance
from qgdr_pyserini.encode.vectors import VectorFile, Vectors
from qgdr_pyserini.encode.windows import batches, windows
from qgdr_pyserini.errors import InputError, QgdrError
from qgdr_pyserini.files import atomic_directory, refuse_existing
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.registry import DEFAULT_ENCODER, find_encoder

INDEX = "index"
DOCIDS = "docid"
MANIFEST = "qgdr.json"

_VECTORS = "vectors.f32"


@dataclasses.dataclass(frozen=True, slots=True)
class EncodingOptions:
    """How a corpus is encoded.

    Parameters
    ----------
    device
        ``cpu``, ``cuda``, ``cuda:1``, …; a GPU where there is one when None.
    max_length
        Tokens beyond which a passage is cut off; the encoder's own when None.
    batch_size
        Passages computed at a time.
    window
        Passages in memory at a time, sorted by length to make batches.
    index_type
        One of `INDEX_TYPES`.
    """

    device: str | None = None
    max_length: int | None = None
    batch_size: int = 64
    window: int = 4096
    index_type: str = "flat"


@dataclasses.dataclass(frozen=True, slots=True)
class EncodedCorpus:
    """What `encode_corpus` made: where, how many passages, and the seconds it took."""

    index: Path
    passages: int
    seconds: float


def encode_corpus(
    corpus: str | os.PathLike[str],
    index: str | os.PathLike[str],
    encoder: str = DEFAULT_ENCODER,
    *,
    overwrite: bool = False,
    options: EncodingOptions | None = None,
    advance: Advance | None = None,
) -> EncodedCorpus:
    """Encode a corpus into an index that Pyserini searches.

    The index appears under its name only when it is whole; until then, whatever stands there stays.

    Parameters
    ----------
    corpus
        What `read_corpus` reads.
    index
        The index's directory: ``index`` and ``docid`` as Pyserini writes them, and ``qgdr.json``.
    encoder
        Name or path, as `find_encoder` takes it.
    overwrite
        Replace an index that stands there.
    options
        How to encode.
    advance
        Called with the number of passages of every batch done.

    Returns
    -------
    EncodedCorpus
        Its ``seconds`` count reading, encoding and writing, not loading the encoder.

    Raises
    ------
    QgdrError
        If corpus, encoder or an option cannot be used, or something stands at ``index`` that may not
        be replaced.
    """
    chosen = options or EncodingOptions()
    refuse_output(index, overwrite=overwrite)
    folder = find_encoder(encoder)
    passages = _not_empty(corpus)
    model = _load(folder, chosen)
    started = time.perf_counter()
    with atomic_directory(index, overwrite=overwrite) as work:
        count = _write_index(work, passages, model, chosen, advance or (lambda done: None))
        _manifest(folder, model, chosen, count).write(work / MANIFEST)
    return EncodedCorpus(Path(index), count, time.perf_counter() - started)


def refuse_output(index: str | os.PathLike[str], *, overwrite: bool) -> None:
    """Raise `QgdrError` unless an index may be written to ``index``.

    ``overwrite`` lets it replace an index, and only that: a mistyped name must not cost a directory
    of something else, the corpus's for one.
    """
    place = Path(index)
    refuse_existing(place, overwrite=overwrite)
    if place.is_dir() and any(place.iterdir()) and not (place / DOCIDS).is_file():
        raise QgdrError(
            f"{place}: not an index (no {DOCIDS} in it), so it is not overwritten; choose another name"
        )


def encode_window(
    model: DualEncoder, window: Sequence[Passage], options: EncodingOptions, advance: Advance
) -> Vectors:
    """Encode passages in batches of like length.

    Returns
    -------
    numpy.ndarray
        float32, ``(passages, dimension)``, in the order of ``window``.
    """
    vectors = np.empty((len(window), model.dimension), dtype=np.float32)
    for rows in batches(window, options.batch_size):
        texts, titles = [window[i].text for i in rows], [window[i].title for i in rows]
        vectors[rows] = model.encode_passages(texts, titles, options.batch_size, options.max_length)
        advance(len(rows))
    return vectors


@torch.inference_mode()
def _write_index(
    work: Path, passages: Iterator[Passage], model: DualEncoder, options: EncodingOptions, advance: Advance
) -> int:
    with VectorFile(work / _VECTORS, work / DOCIDS, model.dimension) as store:
        for window in windows(passages, options.window):
            vectors = encode_window(model, window, options, advance)
            store.append([passage.docid for passage in window], vectors)
        INDEX_TYPES[options.index_type](store.mapped(), work / INDEX)
    (work / _VECTORS).unlink()
    return store.count


def _not_empty(corpus: str | os.PathLike[str]) -> Iterator[Passage]:
    """Read the first passage now, so that a corpus that is missing or empty is told before work begins."""
    passages = read_corpus(corpus)
    first = next(passages, None)
    if first is None:
        raise InputError("empty corpus; it needs at least one passage", corpus)
    return itertools.chain([first], passages)


def _load(folder: Path, options: EncodingOptions) -> DualEncoder:
    device = options.device or ("cuda" if torch.cuda.is_available() else "cpu")
    model = DualEncoder.from_pretrained(folder, device=device)
    positions = getattr(model.model.config, "max_position_embeddings", None)
    longest = min(length for length in (positions, model.tokenizer.model_max_length) if length)
    if options.max_length and options.max_length > longest:
        raise QgdrError(
            f"max length {options.max_length} is more than the {longest} tokens that {folder.name} takes"
        )
    return model


def _manifest(folder: Path, model: DualEncoder, options: EncodingOptions, count: int) -> IndexManifest:
    return IndexManifest(
        encoder=folder.resolve().name,
        fingerprint=model.fingerprint,
        dimension=model.dimension,
        pooling=model.config.pooling,
        normalized=model.config.normalize,
        max_length=options.max_length or model.config.passage_max_length,
        precision="fp32",
        index_type=options.index_type,
        passages=count,
    )
