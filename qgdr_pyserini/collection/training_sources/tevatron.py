"""Queries with the passages that answer them, in Tevatron's JSON Lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from qgdr_pyserini.collection.tevatron import read_candidates
from qgdr_pyserini.collection.training_set import TrainingPassage, TrainingQuery
from qgdr_pyserini.collection.training_sources.base import Row, clean


def read_positives(
    file: Path, source: str, language: Callable[[str], str], corpus: str = ""
) -> Iterator[Row]:
    """Read each query with the first passage that answers it; negatives and queries without are left out.

    Parameters
    ----------
    file
        Rows have ``query_id``, ``query`` and ``positive_passages``.
    source
        Before the ids: ``SOURCE-DOCID``, ``SOURCE-LANG-QUERY_ID``.
    language
        Tells a query's language where the row has no ``lang``.
    corpus
        Before the ids of passages instead of the source, where it has several corpora with the same ids.

    Raises
    ------
    InputError
        If a row is in another layout.
    """
    for row in read_candidates(file):
        for item in row.positives[:1]:
            docid, query = f"{corpus or source}-{item.passage.docid}", clean(row.query)
            yield TrainingPassage(docid, clean(item.passage.title), clean(item.passage.text), source)
            lang = row.lang or language(query)
            yield TrainingQuery(f"{source}-{lang}-{row.query_id}", lang, query, docid, source, row.answers)
