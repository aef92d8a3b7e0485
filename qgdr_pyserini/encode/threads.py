"""How many CPU threads torch and FAISS may use."""

from __future__ import annotations

import torch

# isort: split
import faiss


def limit_threads(count: int | None) -> None:
    """Let torch and FAISS use ``count`` threads; as many as they like when None."""
    if count is not None:
        torch.set_num_threads(count)
        faiss.omp_set_num_threads(count)
