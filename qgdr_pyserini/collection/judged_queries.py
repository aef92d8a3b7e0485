"""Queries of a set, joined with their judgements."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from qgdr_pyserini.collection.trec import Judgement, Qrels
from qgdr_pyserini.collection.trec_ids import TrecIds
from qgdr_pyserini.errors import QgdrError


@dataclass
class JudgedQueries:
    """Queries that have judgements, with ids that differ over languages.

    Parameters
    ----------
    prefix
        Before every id: the collection, without hyphens, so that the language behind it is told apart.
    qrels
        Grades by docid by the set's own query id.

    Attributes
    ----------
    topics
        Question by qid by language.
    judgements
        Of all languages.
    remarks
        What was left out, in sentences.

    Examples
    --------
    >>> queries = JudgedQueries("news", {"7": {"d1": 3}})
    >>> queries.add("en", [("7", "Which city?"), ("8", "Unjudged?")])
    >>> queries.topics, queries.judgements
    ({'en': {'news-en-7': 'Which city?'}}, [Judgement(qid='news-en-7', docid='d1', relevance=3)])
    >>> queries.remarks
    ['1 query in en has no judgements; left out.']
    """

    prefix: str
    qrels: Qrels
    topics: dict[str, dict[str, str]] = field(default_factory=dict)
    judgements: list[Judgement] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def add(self, language: str, queries: Iterable[tuple[str, str]]) -> None:
        """Add the queries of a language, each its id and its text.

        Raises
        ------
        QgdrError
            If two queries have one id, none has judgements and text, or the language has queries already.
        """
        if language in self.topics:
            raise QgdrError(f"two choices of queries are both in {language!r}; build a collection of each")
        ids, texts, unjudged = TrecIds("query"), {}, 0
        for original, text in queries:
            if original not in self.qrels:
                unjudged += 1
                continue
            qid = f"{self.prefix}-{language.replace('-', '_')}-{ids(original)}"
            if qid in texts:
                raise QgdrError(f"two queries have the id {original!r}; ids must differ")
            texts[qid] = text
            self.judgements += [Judgement(qid, *graded) for graded in self.qrels[original].items()]
        self.topics[language] = {qid: text for qid, text in texts.items() if text}
        if not self.topics[language]:
            raise QgdrError(f"none of the queries in {language!r} has judgements and a text")
        self._remark(
            language, unjudged, len(texts) - len(self.topics[language]), len(self.qrels) - len(texts)
        )

    def _remark(self, language: str, unjudged: int, empty: int, unknown: int) -> None:
        for number, what in (
            (unjudged, "no judgements; left out"),
            (empty, "no text in the chosen fields; not asked, and counted as not found"),
        ):
            if number:
                queries = "query" if number == 1 else "queries"
                has = "has" if number == 1 else "have"
                self.remarks.append(f"{number:,} {queries} in {language} {has} {what}.")
        if unknown:
            self.remarks.append(f"Judgements of {unknown:,} ids are of no query in {language}; left out.")
