"""What training takes from Pyserini: BM25's first hard negatives, and dictionary BM25 as a score."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.collection.tevatron import CandidateList
from qgdr_pyserini.dictionary.dictionary import Dictionary, base_language, read_dictionaries
from qgdr_pyserini.dictionary.translate import translate
from qgdr_pyserini.files import atomic_directory

_ENGLISH = "en"


def rank_with_bm25(
    rows: Sequence[CandidateList], corpus: Callable[[], Iterator[Passage]], depth: int, folder: Path
) -> tuple[dict[str, list[str]], Mapping[str, Passage]]:
    """Rank passages for queries by BM25 with the English analyzer.

    Parameters
    ----------
    rows
        The queries.
    corpus
        Starts the passages from the beginning.
    depth
        Passages for each query.
    folder
        Where the Lucene index is kept; one that is there is used.

    Returns
    -------
    tuple of dict
        Docids by query id, best first, and the passages that were found, by docid.
    """
    from qgdr_pyserini.pyserini_plugin import lucene  # Java starts no earlier

    index, threads = folder / "lucene", os.cpu_count() or 1
    if not index.exists():
        with atomic_directory(index) as work:
            lucene.build_index(corpus(), work, "en", threads, lambda count: None)
    topics = {row.query_id: row.query for row in rows}
    options = lucene.Ranking(language="en", hits=depth, threads=threads)
    ranking = {qid: [docid for docid, _ in hits] for qid, hits in lucene.search(index, topics, options)}
    wanted = {docid for docids in ranking.values() for docid in docids}
    return ranking, {passage.docid: passage for passage in corpus() if passage.docid in wanted}


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
    from qgdr_pyserini.pyserini_plugin import lucene  # Java starts no earlier

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


def bm25_scorer_for(data: Path) -> Callable[[Any, Any], Any]:
    """Return what scores by dictionary BM25 with the dictionary of a folder of training data."""

    def score(rows: Any, passages: Any) -> Any:
        return score_with_bm25(rows, passages, data / "lexicon.tsv.gz", data / "names.tsv.gz")

    return score
