"""What training takes from Pyserini where a recipe asks for it; Java starts no earlier."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


def rank_with_bm25(*arguments: Any) -> Any:
    """Rank passages for queries by BM25; see `bm25_ranker`."""
    from qgdr_pyserini.pyserini_plugin import bm25_ranker

    return bm25_ranker.rank_with_bm25(*arguments)


def bm25_scorer_for(data: Path) -> Callable[[Any, Any], Any]:
    """Return what scores by dictionary BM25 with the dictionary of a folder of training data."""

    def score(rows: Any, passages: Any) -> Any:
        from qgdr_pyserini.pyserini_plugin.bm25_scorer import score_with_bm25

        return score_with_bm25(rows, passages, data / "lexicon.tsv.gz", data / "names.tsv.gz")

    return score
