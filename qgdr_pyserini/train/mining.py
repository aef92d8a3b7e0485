"""Mining hard negatives: dense search in torch, block by block, and the stages that do it."""

from __future__ import annotations

import dataclasses
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from qgdr_pyserini.collection.corpus import Passage, read_corpus
from qgdr_pyserini.collection.tevatron import CandidateList
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.files import atomic_directory
from qgdr_pyserini.model.dual_encoder import DualEncoder, Vectors
from qgdr_pyserini.model.inference.batching import windows
from qgdr_pyserini.model.inference.devices import encode_passages as encode
from qgdr_pyserini.model.precision import Precision
from qgdr_pyserini.train.context import Reading, StageContext, load_student
from qgdr_pyserini.train.data import Corpus, Passages, Queries
from qgdr_pyserini.train.negatives import Ranking, mine_negatives
from qgdr_pyserini.train.recipe import MiningSettings
from qgdr_pyserini.train.search import Hits, search
from qgdr_pyserini.train.stages import Done, Means, Stage, read_rows, write_rows
from qgdr_pyserini.train.trainer import computing_in, processes

_BLOCK = 2**17


Found = tuple[Ranking, Mapping[str, Passage]]
"""Docids by query id, best first, and the passages."""

Ranker = Callable[[Sequence[CandidateList], Passages, int, Path], Found]
"""Ranks a corpus for queries, to a depth, with a folder to work in."""


def retrieve(
    encoder: DualEncoder,
    rows: Sequence[CandidateList],
    corpus: Passages,
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


def encode_passages(encoder: DualEncoder, corpus: Passages, folder: Path, block: int = _BLOCK) -> int:
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


@dataclasses.dataclass(frozen=True)
class EncodePassages(Stage):
    """Keep the student's vectors of all passages, whatever queries are asked."""

    student: Done
    corpus: Corpus
    precision: Precision

    def work(self, folder: Path) -> dict[str, Any]:
        """Encode what is not encoded yet."""
        with computing_in(self.precision):
            return {"passages": encode_passages(load_student(self.student), self.corpus, folder)}


@dataclasses.dataclass(frozen=True)
class KeepGiven(Stage):
    """Keep the negatives that the data gives."""

    queries: Queries

    def work(self, folder: Path) -> dict[str, Any]:
        """Write the queries as they are."""
        return {"queries": write_rows(folder, self.queries), "given": True}


@dataclasses.dataclass(frozen=True)
class MineLexically(Stage):
    """Give queries hard negatives that BM25 retrieves."""

    queries: Queries
    corpus: Corpus
    settings: MiningSettings
    ranker: Means[Ranker]

    def work(self, folder: Path) -> dict[str, Any]:
        """Rank, and write the queries with what is left of the first."""
        found = self.ranker.value(self.queries, self.corpus, self.settings.depth, folder)
        return {"queries": write_rows(folder, mine_negatives(self.queries, *found, self.settings))}


@dataclasses.dataclass(frozen=True)
class MineDensely(Stage):
    """Give queries hard negatives that the student retrieves, with its kept vectors if there are any."""

    student: Done
    queries: Queries
    corpus: Corpus
    settings: MiningSettings
    reading: Reading
    encoded: Means[Done | None]

    def work(self, folder: Path) -> dict[str, Any]:
        """Search, and write the queries with what is left of the first."""
        encoded = self.encoded.value
        with computing_in(self.settings.precision):
            found = retrieve(
                load_student(self.student),
                self.reading.searched(self.queries),
                self.corpus,
                self.settings.depth,
                folder,
                encoded=encoded.folder if encoded else None,
            )
        return {"queries": write_rows(folder, mine_negatives(self.queries, *found, self.settings))}


@dataclasses.dataclass(frozen=True)
class TakeMined(Stage):
    """Take an iteration's queries from all those that its student has mined for already."""

    mined: Done
    queries: Queries

    def work(self, folder: Path) -> dict[str, Any]:
        """Write the chosen ones."""
        wanted = {row.query_id for row in self.queries}
        rows = [row for row in read_rows(self.mined) if row.query_id in wanted]
        return {"queries": write_rows(folder, rows)}


class Miner:
    """Runs the stages that give an iteration's queries their candidates.

    Parameters
    ----------
    context
        The run and the iteration.
    """

    def __init__(self, context: StageContext) -> None:
        self._context = context

    def encode(self, student: Done) -> Done:
        """Keep the student's vectors of all passages."""
        precision = self._context.recipe.negatives.precision
        return self._context.run("encode", EncodePassages(student, self._context.data.corpus, precision))

    def keep_given(self) -> Done:
        """Keep the negatives that the data gives."""
        return self._context.run("mine", KeepGiven(self._queries))

    def mine_lexically(self, ranker: Ranker) -> Done:
        """Give all queries hard negatives, which BM25 retrieves."""
        corpus, settings = self._context.data.corpus, self._context.recipe.negatives
        return self._context.run("mine", MineLexically(self._queries, corpus, settings, Means(ranker)))

    def mine(self, student: Done, encoded: Done | None) -> Done:
        """Give all queries hard negatives, which the student retrieves."""
        corpus, settings = self._context.data.corpus, self._context.recipe.negatives
        reading = self._context.reading
        return self._context.run(
            "mine", MineDensely(student, self._queries, corpus, settings, reading, Means(encoded))
        )

    def take(self, mined: Done) -> Done:
        """Take the iteration's queries from all those that its student has mined for already."""
        return self._context.run("mine", TakeMined(mined, self._context.data.distilled))

    @property
    def _queries(self) -> Queries:
        return self._context.data.distilled if self._context.number else self._context.data.rows


def known_vectors(corpus: Corpus, encoded: Done) -> tuple[list[Passage], Vectors]:
    """Read all passages, and the student's vectors of them."""
    return list(corpus()), read_vectors(encoded.folder)
