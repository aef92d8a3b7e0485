"""From a corpus to an index: read, batch, encode, append, assemble."""

from __future__ import annotations

import dataclasses
import itertools
import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import torch

from qgdr_pyserini.collection.corpus import Passage, read_corpus
from qgdr_pyserini.encode.ahead import ahead
from qgdr_pyserini.encode.computing import WindowEncoder, automatic_batch_tokens
from qgdr_pyserini.encode.index_types import INDEX_TYPES
from qgdr_pyserini.encode.manifest import IndexManifest
from qgdr_pyserini.encode.options import EncodingOptions
from qgdr_pyserini.encode.precision import choose_precision, set_precision
from qgdr_pyserini.encode.progress import Advance
from qgdr_pyserini.encode.vectors import VectorFile
from qgdr_pyserini.encode.windows import windows
from qgdr_pyserini.errors import InputError, QgdrError
from qgdr_pyserini.files import atomic_directory, refuse_existing
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.registry import DEFAULT_ENCODER, find_encoder

INDEX = "index"
DOCIDS = "docid"
MANIFEST = "qgdr.json"

_VECTORS = "vectors.f32"


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
    tell: Callable[[str], object] = lambda message: None,
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
    tell
        Called with what was decided on the user's behalf, a line each.

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
    precision, reason = choose_precision(chosen.precision, model)
    tell(f"precision {precision}: {reason}")
    model.fingerprint  # noqa: B018  computed now, of the weights as they were saved
    set_precision(model, precision)
    started = time.perf_counter()
    with atomic_directory(index, overwrite=overwrite) as work:
        count = _write_index(work, passages, model, chosen, advance or (lambda done: None))
        _manifest(folder, model, chosen, count, precision).write(work / MANIFEST)
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


def tokenized_windows(
    passages: Iterable[Passage], model: DualEncoder, options: EncodingOptions
) -> Iterator[tuple[list[str], list[list[int]]]]:
    """Yield the ids and the token numbers of every window of passages."""
    for window in windows(passages, options.window):
        texts, titles = [item.text for item in window], [item.title for item in window]
        tokens = model.passage_tokens(texts, titles, options.max_length)
        yield [item.docid for item in window], tokens


def _write_index(
    work: Path, passages: Iterator[Passage], model: DualEncoder, options: EncodingOptions, advance: Advance
) -> int:
    encoder = WindowEncoder(model, options.batch_tokens or automatic_batch_tokens(model.device))
    with VectorFile(work / _VECTORS, work / DOCIDS, model.dimension) as store:
        with ahead(tokenized_windows(passages, model, options)) as tokenized:
            for docids, tokens in tokenized:
                store.append(docids, encoder.encode(tokens, advance))
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


def _manifest(
    folder: Path, model: DualEncoder, options: EncodingOptions, count: int, precision: str
) -> IndexManifest:
    return IndexManifest(
        encoder=folder.resolve().name,
        fingerprint=model.fingerprint,
        dimension=model.dimension,
        pooling=model.config.pooling,
        normalized=model.config.normalize,
        max_length=options.max_length or model.config.passage_max_length,
        precision=precision,
        index_type=options.index_type,
        passages=count,
    )
