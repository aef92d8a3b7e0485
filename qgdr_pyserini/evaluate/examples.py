"""Questions next to the passages that answer them, to be read by people."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from qgdr_pyserini.collection.corpus import read_corpus
from qgdr_pyserini.collection.topics import read_topics
from qgdr_pyserini.collection.trec import read_qrels, read_run


class Found(NamedTuple):
    """A question and the relevant passage that a run ranks first for it."""

    question: str
    title: str
    text: str


def found_first(
    run: str | os.PathLike[str],
    qrels: str | os.PathLike[str],
    corpus: str | os.PathLike[str],
    topics: Iterable[str | os.PathLike[str]],
) -> Iterator[Found]:
    """Yield, for each topics file, its first question whose first passage in the run is relevant.

    Parameters
    ----------
    run, qrels
        TREC files.
    corpus
        What the run searched.
    topics
        Topics files whose queries are in the run; one without such a question is passed over.
    """
    hits, judged = read_run(run), read_qrels(qrels)
    passages = {passage.docid: passage for passage in read_corpus(corpus)}
    for file in topics:
        for qid, question in read_topics(file).items():
            best = next(iter(hits.get(qid, {})), "")
            if judged.get(qid, {}).get(best, 0) > 0:
                yield Found(question, passages[best].title, passages[best].text)
                break
