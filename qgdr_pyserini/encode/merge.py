"""From the shards of a corpus to one index, as if it had never been divided."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch  # noqa: F401  before faiss, see faiss_access

# isort: split
import faiss

from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.collection.passage_store import PASSAGES, PassageStore, PassageWriter
from qgdr_pyserini.encode.faiss_types import DEFAULTS, IndexParameters
from qgdr_pyserini.encode.manifest import MANIFEST, IndexManifest
from qgdr_pyserini.encode.options import WHOLE, Shard
from qgdr_pyserini.encode.truncation import as_counts, total
from qgdr_pyserini.errors import InputError, QgdrError
from qgdr_pyserini.files import atomic_directory, read_lines
from qgdr_pyserini.lock import only_writer
from qgdr_pyserini.model.dual_encoder import Vectors

_VECTORS = "vectors.f32"

# What shards of one index have in common.
_COMMON = (
    "encoder",
    "fingerprint",
    "query_tower",
    "dimension",
    "pooling",
    "normalized",
    "max_length",
    "precision",
    "quantization",
    "window",
    "split",
    "index_type",
    "index_parameters",
    "files",
    "corpus_passages",
)


def merge_shards(
    index: str | os.PathLike[str],
    shards: Sequence[str | os.PathLike[str]],
    *,
    index_type: str | None = None,
    index_parameters: IndexParameters = DEFAULTS,
    store: bool = True,
    overwrite: bool = False,
) -> IndexManifest:
    """Join the shards of a corpus.

    Passages come in the corpus's order, and the index is the one that an undivided run would have made.

    Parameters
    ----------
    index
        The directory to write.
    shards
        The directories that ``encode-corpus --shard`` wrote, in any order.
    index_type
        As for `IndexType`; the one that the shards were encoded for when None.
    index_parameters
        Of the index type; beside those that the shards were encoded for, if that is theirs.
    store
        Whether to keep the passages beside the index, where the shards have them.
    overwrite
        Replace an index that stands there.

    Returns
    -------
    IndexManifest
        Of the index written.

    Raises
    ------
    QgdrError
        If the shards do not fit together, one is missing or twice there, one is damaged, or there is no such
        index type.
    """
    parts = _in_order([(Path(shard), IndexManifest.read(Path(shard))) for shard in shards])
    first = parts[0][1]
    if store:
        _refuse_some_without_passages(parts)
    kind = first.kind.otherwise(index_type, index_parameters)
    kind.empty(first.corpus_passages, first.dimension)  # refused before the shards are copied
    merged = dataclasses.replace(
        first,
        index_type=kind.name,
        index_parameters=kind.parameters.given() or None,
        passages=first.corpus_passages,
        shard=str(WHOLE),
        contents="",
        store=first.store if store else None,
        truncated=as_counts(total([manifest.truncation for _, manifest in parts])),
    )
    with only_writer(Path(index)), atomic_directory(index, overwrite=overwrite) as work:
        _interleave([folder for folder, _ in parts], merged, work)
        kind.write(_map(work / _VECTORS, merged), work / "index")
        (work / _VECTORS).unlink()
        merged.write(work / MANIFEST)
    return merged


def _in_order(parts: list[tuple[Path, IndexManifest]]) -> list[tuple[Path, IndexManifest]]:
    """Sort shards by number, and see to it that they are all there, once, and alike."""
    folder, first = parts[0]
    found: dict[int, tuple[Path, IndexManifest]] = {}
    for place, manifest in parts:
        _refuse_unlike(folder, first, place, manifest)
        shard = Shard.parse(manifest.shard)
        if shard.number in found:
            raise QgdrError(
                f"{place}: shard {shard} again, as {found[shard.number][0]}; name each shard once"
            )
        found[shard.number] = place, manifest
    of = Shard.parse(first.shard).of
    missing = [f"{number}/{of}" for number in range(1, of + 1) if number not in found]
    if missing:
        raise QgdrError(f"shard {', '.join(missing)} is missing; name all {of} shards of the corpus")
    return [found[number] for number in range(1, of + 1)]


def _refuse_unlike(folder: Path, first: IndexManifest, place: Path, manifest: IndexManifest) -> None:
    for key in _COMMON:
        one, other = getattr(first, key), getattr(manifest, key)
        if one != other:
            name = "corpus" if key in ("files", "corpus_passages") else key.replace("_", " ")
            values = "" if key == "files" else f": {other}, not {one}"
            raise QgdrError(f"{place}: another {name} than {folder}{values}; shards must be of one run")
    one, other = Shard.parse(first.shard), Shard.parse(manifest.shard)
    if one.of != other.of:
        raise QgdrError(f"{place}: shard {other}, but {folder} is shard {one}; shards must be of one run")


def _refuse_some_without_passages(parts: list[tuple[Path, IndexManifest]]) -> None:
    having = [folder for folder, manifest in parts if manifest.store]
    lacking = [folder for folder, manifest in parts if not manifest.store]
    if having and lacking:
        raise QgdrError(
            f"{lacking[0]}: without the passages that {having[0]} has; leave them out of the index with "
            "--no-store, or add them to this shard by 'qgdr encode-corpus --resume' with its options"
        )


def _interleave(folders: list[Path], merged: IndexManifest, work: Path) -> None:
    """Write vectors, ids and passages of all shards, window by window, in the corpus's order."""
    sources = [_windows(folder, merged) for folder in folders]
    seen: set[str] = set()
    count = 0
    with (
        (work / _VECTORS).open("wb") as vectors,
        (work / "docid").open("w", encoding="utf-8") as docids,
        _store(folders, merged, work) as keep,
    ):
        while count < merged.passages:
            shard = (count // merged.window) % len(folders)
            ids, block = next(sources[shard], ([], None))
            wanted = min(merged.window, merged.passages - count)
            if block is None or len(ids) != wanted or len(block) != wanted:
                raise InputError(
                    "holds fewer passages than it should; encode this shard again", folders[shard]
                )
            seen.update(ids)
            vectors.write(np.ascontiguousarray(block).data)
            docids.writelines(f"{docid}\n" for docid in ids)
            keep(shard, ids)
            count += wanted
        for folder, source in zip(folders, sources, strict=True):
            if next(source, None) is not None:
                raise InputError("holds more passages than it should; encode this shard again", folder)
        if len(seen) != count:
            raise QgdrError("the shards have passages in common; encode the corpus again")


@contextlib.contextmanager
def _store(
    folders: list[Path], merged: IndexManifest, work: Path
) -> Iterator[Callable[[int, list[str]], None]]:
    """Give what takes over the next passages of a shard; nothing is taken where none are kept."""
    if merged.store is None:
        yield lambda shard, ids: None
        return
    stores = [PassageStore(folder / PASSAGES) for folder in folders]
    sources = list(map(iter, stores))
    with PassageWriter(work / merged.store) as writer, contextlib.ExitStack() as stack:
        for store in stores:
            stack.callback(store.close)

        def keep(shard: int, ids: list[str]) -> None:
            passages: list[Passage] = list(itertools.islice(sources[shard], len(ids)))
            if [item.docid for item in passages] != ids:
                raise InputError(
                    f"{PASSAGES} holds other passages than its index; encode this shard again", folders[shard]
                )
            writer.append(passages)

        yield keep


def _windows(folder: Path, merged: IndexManifest) -> Iterator[tuple[list[str], Vectors]]:
    """Yield the ids and vectors of a shard's windows."""
    index = _open_flat(folder / "index", merged.dimension)
    docids = (line for _, line in read_lines(folder / "docid"))
    for start in range(0, index.ntotal, merged.window):
        count = min(merged.window, index.ntotal - start)
        yield list(itertools.islice(docids, count)), index.reconstruct_n(start, count)
    if next(docids, None) is not None:
        raise InputError("has more ids than vectors; encode this shard again", folder)


def _open_flat(path: Path, dimension: int) -> Any:
    try:
        index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP)
    except RuntimeError:
        raise InputError("missing or damaged; encode this shard again", path) from None
    if not isinstance(index, faiss.IndexFlat) or index.d != dimension:
        raise InputError(f"not a flat index of dimension {dimension}; encode this shard again", path)
    return index


def _map(path: Path, merged: IndexManifest) -> Vectors:
    return np.memmap(path, dtype=np.float32, mode="r", shape=(merged.passages, merged.dimension))
