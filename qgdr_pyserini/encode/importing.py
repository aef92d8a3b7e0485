"""From vectors that another tool computed to an index that Pyserini searches."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from qgdr_pyserini.encode.compatibility import UNKNOWN
from qgdr_pyserini.encode.embedding_files import Block, read_embeddings, refuse_bad_ids
from qgdr_pyserini.encode.faiss_types import write_index
from qgdr_pyserini.encode.manifest import MANIFEST, IndexManifest
from qgdr_pyserini.encode.shards import WHOLE
from qgdr_pyserini.encode.vectors import Vectors, refuse_not_finite
from qgdr_pyserini.errors import InputError, QgdrError
from qgdr_pyserini.files import atomic_directory
from qgdr_pyserini.lock import only_writer
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.registry import encoder_name, find_encoder

_VECTORS = "vectors.f32"
_UNIT = 1e-3


def import_embeddings(
    files: Sequence[str | os.PathLike[str]],
    index: str | os.PathLike[str],
    *,
    ids: Sequence[str | os.PathLike[str]] = (),
    encoder: str | None = None,
    index_type: str = "flat",
    allow_pickle: bool = False,
    overwrite: bool = False,
) -> IndexManifest:
    """Make an index of vectors that are there already.

    Parameters
    ----------
    files
        What `read_embeddings` reads, in the order wanted.
    index
        The index's directory.
    ids
        For ``.npy`` files, their id files, in the same order.
    encoder
        Name or path of the encoder of ours that computed them; None where another did.
    index_type
        One of `INDEX_TYPES`.
    allow_pickle
        As for `read_embeddings`.
    overwrite
        Replace an index that stands there.

    Returns
    -------
    IndexManifest
        Of the index written.

    Raises
    ------
    QgdrError
        If a file cannot be used, vectors differ in dimension or are not finite, an id is there twice, or the
        encoder makes vectors of another dimension.
    """
    if ids and len(ids) != len(files):
        raise QgdrError(f"{len(files)} --vectors need as many --ids, not {len(ids)}")
    pairs = list(itertools.zip_longest(files, ids))
    with only_writer(Path(index)), atomic_directory(index, overwrite=overwrite) as work:
        blocks = (
            (file, block)
            for file, names in pairs
            for block in read_embeddings(file, names, allow_pickle=allow_pickle)
        )
        written = _write(blocks, work)
        if not written.count:
            raise InputError("holds no vectors", files[0])
        manifest = _manifest(written, encoder, index_type, files)
        shape = (written.count, written.dimension)
        vectors = np.memmap(work / _VECTORS, dtype=np.float32, mode="r", shape=shape)
        write_index(index_type, vectors, work / "index")
        (work / _VECTORS).unlink()
        manifest.write(work / MANIFEST)
    return manifest


class _Written:
    """What has been copied so far."""

    def __init__(self) -> None:
        self.count, self.dimension = 0, 0
        self.normalized = True
        self.digest = hashlib.sha256()
        self.seen: set[str] = set()

    def take(self, source: str | os.PathLike[str], ids: list[str], vectors: Vectors) -> None:
        self.dimension = self.dimension or vectors.shape[1]
        if vectors.shape[1] != self.dimension:
            raise QgdrError(
                f"{source}: vectors of dimension {vectors.shape[1]}, but those before have {self.dimension}"
            )
        refuse_bad_ids(ids, self.seen, source)
        refuse_not_finite(ids, vectors)
        self.normalized &= bool((np.abs(np.linalg.norm(vectors, axis=1) - 1) < _UNIT).all())
        self.digest.update("".join(f"{docid}\n" for docid in ids).encode())
        self.count += len(ids)


def _write(blocks: Iterator[tuple[str | os.PathLike[str], Block]], work: Path) -> _Written:
    written = _Written()
    with (work / _VECTORS).open("wb") as raw, (work / "docid").open("w", encoding="utf-8") as docids:
        for source, (ids, vectors) in blocks:
            written.take(source, ids, vectors)
            raw.write(np.ascontiguousarray(vectors).data)
            docids.writelines(f"{docid}\n" for docid in ids)
    return written


def _manifest(
    written: _Written, encoder: str | None, index_type: str, files: Sequence[str | os.PathLike[str]]
) -> IndexManifest:
    name, fingerprint, pooling, length = UNKNOWN, UNKNOWN, UNKNOWN, 0
    if encoder is not None:
        folder = find_encoder(encoder)
        model = DualEncoder.from_pretrained(folder)
        if model.dimension != written.dimension:
            raise QgdrError(
                f"the vectors have dimension {written.dimension}, those of {folder.name} {model.dimension}"
            )
        name, fingerprint = encoder_name(folder), model.fingerprint
        pooling, length = model.config.pooling, model.config.passage_max_length
    return IndexManifest(
        encoder=name,
        fingerprint=fingerprint,
        dimension=written.dimension,
        pooling=pooling,
        normalized=written.normalized,
        max_length=length,
        precision=UNKNOWN,
        index_type=index_type,
        passages=written.count,
        window=0,
        batch_tokens=0,
        shard=str(WHOLE),
        corpus_passages=written.count,
        files=[[Path(file).name, Path(file).stat().st_size] for file in files],
        contents=written.digest.hexdigest()[:32],
    )
