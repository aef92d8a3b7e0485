"""Dense retrieval over a corpus of any size, block by block: each block's hits are kept as they are found."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from qgdr_pyserini.collection.corpus import Passage, read_corpus
from qgdr_pyserini.collection.tevatron import CandidateList
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.files import atomic_directory
from qgdr_pyserini.model.dual_encoder import DualEncoder, Vectors
from qgdr_pyserini.model.inference.batching import windows
from qgdr_pyserini.model.inference.devices import encode_passages as encode
from qgdr_pyserini.train.search import Hits, search
from qgdr_pyserini.train.training import processes
from qgdr_pyserini.train.training_data import Corpus

_BLOCK = 2**17


def retrieve(
    encoder: DualEncoder,
    rows: Sequence[CandidateList],
    corpus: Corpus,
    depth: int,
    folder: Path,
    block: int = _BLOCK,
    *,
    encoded: Path | None = None,
) -> tuple[dict[str, list[str]], dict[str, Passage]]:
    """Search with an encoder, exactly; blocks are shared out among processes and not searched again.

    Parameters
    ----------
    encoder
        The student.
    rows
        The queries.
    corpus
        What is searched.
    depth
        Passages for each query.
    folder
        For the hits of each block.
    block
        Passages a block: what is in memory at one time.
    encoded
        Where `encode_passages` has left the passages' vectors, in blocks of the same size; None to encode
        them now.

    Returns
    -------
    tuple of dict
        Docids by query id, best first, and the passages that were found, by docid.

    Raises
    ------
    QgdrError
        If there is nothing to search.
    """
    queries = torch.from_numpy(encoder.encode_queries([row.query for row in rows]))
    state = processes()
    for number, passages in enumerate(windows(corpus(), block)):
        kept = folder / f"block-{number:05d}"
        if number % state.num_processes == state.process_index and not kept.exists():
            vectors = np.load(_vectors_file(encoded, number)) if encoded else encode([encoder], passages)
            hits = _search(queries.to(encoder.device), torch.from_numpy(vectors).to(encoder.device), depth)
            with atomic_directory(kept) as work:
                torch.save((hits.scores, hits.places + number * block), work / "hits.pt")
    state.wait_for_everyone()
    files = sorted(folder.glob("block-*/hits.pt"))
    if not files:
        raise QgdrError("the corpus holds no passages")
    places = _merged(files, depth)
    wanted = set(places.flatten().tolist())
    found = {place: passage for place, passage in enumerate(corpus()) if place in wanted}
    ranking = {
        row.query_id: [found[place].docid for place in own]
        for row, own in zip(rows, places.tolist(), strict=True)
    }
    return ranking, {passage.docid: passage for passage in found.values()}


def encode_passages(encoder: DualEncoder, corpus: Corpus, folder: Path, block: int = _BLOCK) -> int:
    """Leave the vectors of all passages in a folder; blocks are shared out, and not encoded again.

    Parameters
    ----------
    encoder, corpus, block
        As for `retrieve`.
    folder
        Where a file a block is left, which `read_vectors` reads.

    Returns
    -------
    int
        Number of passages.
    """
    state, count = processes(), 0
    for number, passages in enumerate(windows(corpus(), block)):
        file = _vectors_file(folder, number)
        if number % state.num_processes == state.process_index and not file.exists():
            unfinished = file.with_suffix(".part")
            with unfinished.open("wb") as target:
                np.save(target, encode([encoder], passages))
            unfinished.replace(file)
        count += len(passages)
    state.wait_for_everyone()
    return count


def read_vectors(folder: Path) -> Vectors:
    """Read the vectors that `encode_passages` left, in the order of the passages."""
    return np.concatenate([np.load(file) for file in sorted(folder.glob("vectors-*.npy"))])


def _vectors_file(folder: Path, block: int) -> Path:
    return folder / f"vectors-{block:05d}.npy"


def search_with(
    encoder: DualEncoder, corpus: str | os.PathLike[str]
) -> Callable[[Sequence[CandidateList], int], tuple[dict[str, list[str]], dict[str, Passage]]]:
    """Return what searches a corpus on disk, as `retrieve` does, in a folder that is gone afterwards."""

    def search(rows: Sequence[CandidateList], depth: int) -> tuple[dict[str, list[str]], dict[str, Passage]]:
        with tempfile.TemporaryDirectory() as folder:
            return retrieve(encoder, rows, lambda: read_corpus(corpus), depth, Path(folder))

    return search


def _search(queries: torch.Tensor, passages: torch.Tensor, depth: int) -> Hits:
    hits = search(queries, passages, depth)
    return Hits(hits.scores.cpu(), hits.places.cpu())


def _merged(files: Sequence[Path], depth: int) -> torch.Tensor:
    """Keep the best of all blocks, ``(queries, depth)``."""
    scores: torch.Tensor
    places: torch.Tensor
    scores, places = torch.load(files[0], weights_only=True)
    for file in files[1:]:
        more = torch.load(file, weights_only=True)
        scores, places = torch.cat([scores, more[0]], dim=1), torch.cat([places, more[1]], dim=1)
        scores, best = scores.topk(min(depth, scores.shape[1]), dim=1)
        places = places.gather(1, best)
    return places
