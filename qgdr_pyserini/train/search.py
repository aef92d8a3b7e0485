"""Exact dense search in torch, for machines without FAISS."""

from __future__ import annotations

from typing import NamedTuple

import torch

from qgdr_pyserini.model.precision import in_full


class Hits(NamedTuple):
    """The best passages of each query, best first, each ``(queries, k)``."""

    scores: torch.Tensor
    places: torch.Tensor


def search(queries: torch.Tensor, passages: torch.Tensor, k: int, memory_mb: int = 256) -> Hits:
    """Find the k passages with the highest inner product for each query.

    Parameters
    ----------
    queries
        Vectors, ``(queries, dimension)``.
    passages
        Vectors, ``(passages, dimension)``.
    k
        How many; all of them where there are fewer passages.
    memory_mb
        Megabytes that the scores held at one time may take.

    Examples
    --------
    >>> passages = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    >>> search(torch.tensor([[1.0, 0.0]]), passages, k=2).places
    tensor([[0, 2]])
    """
    k = min(k, len(passages))
    width = min(len(passages), max(4 * k, 2**16))
    rows = max(1, memory_mb * 2**20 // (width * queries.element_size()))
    with in_full(queries.device):
        found = [_search(part, passages, k, width) for part in torch.split(queries, rows)]
    if not found:
        return Hits(queries.new_empty(0, k), torch.empty(0, k, dtype=torch.long, device=queries.device))
    return Hits(torch.cat([hits.scores for hits in found]), torch.cat([hits.places for hits in found]))


def _search(queries: torch.Tensor, passages: torch.Tensor, k: int, width: int) -> Hits:
    """Keep the best k so far while going over the passages, ``width`` at a time."""
    scores = queries.new_empty(len(queries), 0)
    places = torch.empty(len(queries), 0, dtype=torch.long, device=queries.device)
    for start in range(0, len(passages), width):
        new = queries @ passages[start : start + width].T
        new_places = torch.arange(start, start + new.shape[1], device=queries.device).expand(len(new), -1)
        scores, places = torch.cat([scores, new], dim=1), torch.cat([places, new_places], dim=1)
        scores, best = scores.topk(min(k, scores.shape[1]), dim=1)
        places = places.gather(1, best)
    return Hits(scores, places)
