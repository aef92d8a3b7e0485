"""Questions next to the passages that a run puts first, to be read by people."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from qgdr_pyserini.collection.corpus import read_corpus
from qgdr_pyserini.collection.topics import read_topics
from qgdr_pyserini.evaluate.trec import read_qrels, read_run


class Example(NamedTuple):
    """A question, the passage ranked first for it, and whether that one is relevant."""

    question: str
    title: str
    text: str
    relevant: bool


def first_passages(
    run: str | os.PathLike[str],
    qrels: str | os.PathLike[str],
    corpus: str | os.PathLike[str],
    topics: Iterable[str | os.PathLike[str]],
) -> Iterator[Example]:
    """Yield one example for each topics file: its first question that the run has a hit for.

    Parameters
    ----------
    run, qrels
        TREC files.
    corpus
        What the run searched.
    topics
        Topics files whose queries are in the run.
    """
    hits, judged = read_run(run), read_qrels(qrels)
    passages = {passage.docid: passage for passage in read_corpus(corpus)}
    for file in topics:
        for qid, question in read_topics(file).items():
            if qid in hits:
                best = passages[next(iter(hits[qid]))]
                relevant = judged.get(qid, {}).get(best.docid, 0) > 0
                yield Example(question, best.title, best.text, relevant)
                break
