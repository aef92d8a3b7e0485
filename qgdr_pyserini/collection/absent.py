"""Judged passages that a corpus lacks: no run can find them, though every measure expects them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.collection.trec import Judgement


class AbsentPassages:
    """Counts judged passages that did not come by.

    Parameters
    ----------
    judgements
        Of all questions.

    Examples
    --------
    >>> absent = AbsentPassages([Judgement("q1", "a"), Judgement("q1", "b"), Judgement("q2", "b", 0)])
    >>> [passage.docid for passage in absent.watch([Passage("a", "", "Text."), Passage("c", "", "Text.")])]
    ['a', 'c']
    >>> absent.counts()
    {'passages': 1, 'qrels': 2, 'relevant': 1, 'questions': 2}
    """

    def __init__(self, judgements: Sequence[Judgement]) -> None:
        self._judgements = judgements
        self._absent = {judgement.docid for judgement in judgements}

    def watch(self, passages: Iterable[Passage]) -> Iterator[Passage]:
        """Pass on the passages of the corpus."""
        for passage in passages:
            self._absent.discard(passage.docid)
            yield passage

    def counts(self) -> dict[str, int]:
        """Count the absent passages, their judgements, those above grade 0, and the questions of these.

        Empty if none is absent.
        """
        if not self._absent:
            return {}
        of_absent = [judgement for judgement in self._judgements if judgement.docid in self._absent]
        questions = {judgement.qid for judgement in of_absent}
        relevant = sum(judgement.relevance > 0 for judgement in of_absent)
        return {
            "passages": len(self._absent),
            "qrels": len(of_absent),
            "relevant": relevant,
            "questions": len(questions),
        }
