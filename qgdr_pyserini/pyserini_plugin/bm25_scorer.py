"""Dictionary BM25 as a score among others: of candidates that something else has found."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.collection.tevatron import CandidateList
from qgdr_pyserini.dictionary.dictionary import Dictionary, base_language, read_dictionaries
from qgdr_pyserini.dictionary.translate import translate
from qgdr_pyserini.pyserini_plugin import lucene

_ENGLISH = "en"


def score_with_bm25(
    rows: Sequence[CandidateList], passages: Iterable[Passage], lexicon: Path, names: Path | None
) -> dict[tuple[str, str], float]:
    """Score every candidate of every query by BM25, exactly.

    Parameters
    ----------
    rows
        Queries; those that are not in English are translated word by word, where the lexicon has their
        language.
    passages
        All that is searched, the candidates among them, in English: how rare a word is depends on them.
    lexicon, names
        See `qgdr_pyserini.dictionary.dictionary.read_dictionaries`.

    Returns
    -------
    dict
        By query id and docid; 0 where query and passage share nothing.
    """
    languages = {row.lang for row in rows if base_language(row.lang) != _ENGLISH}
    dictionaries = read_dictionaries(lexicon, names, sorted(languages))
    untranslated = Dictionary(_ENGLISH, {})
    asked = {
        row.query_id: lucene.Asked(
            translate(row.query, dictionaries.get(row.lang, untranslated)),
            [item.passage.docid for item in row.candidates],
        )
        for row in rows
    }
    scores = {(qid, docid): 0.0 for qid, one in asked.items() for docid in one.docids}
    threads = os.cpu_count() or 1
    with tempfile.TemporaryDirectory(prefix="lucene.") as folder:
        lucene.build_index(passages, Path(folder), _ENGLISH, threads, lambda count: None)
        for qid, hits in lucene.score_candidates(Path(folder), asked, lucene.Ranking(threads=threads)):
            scores |= {(qid, docid): score for docid, score in hits}
    return scores
