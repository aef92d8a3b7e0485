"""Adding up scores from file to file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from qgdr_pyserini.collection.tevatron import read_candidates, write_candidates
from qgdr_pyserini.train.combination import combine, fit, quality

AnyPath = str | os.PathLike[str]


def fit_files(held_out: Mapping[str, AnyPath]) -> tuple[dict[str, float], dict[str, Any]]:
    """Fit weights to held-out queries.

    Parameters
    ----------
    held_out
        Tevatron JSON Lines by the name of the score: the same queries, scored in several ways.

    Returns
    -------
    tuple
        Weights by name, and their `qgdr_pyserini.train.combination.quality`.
    """
    parts = {name: list(read_candidates(file)) for name, file in held_out.items()}
    weights = fit(parts)
    return weights, quality(parts, weights)


def combine_files(sources: Mapping[str, AnyPath], target: AnyPath, weights: Mapping[str, float]) -> int:
    """Write queries with the weighted sum of their scores; return how many.

    Parameters
    ----------
    sources
        Tevatron JSON Lines by the name of the score: the same queries, scored in several ways.
    target
        Tevatron JSON Lines to write.
    weights
        By name.
    """
    return write_candidates(target, combine({n: read_candidates(f) for n, f in sources.items()}, weights))
