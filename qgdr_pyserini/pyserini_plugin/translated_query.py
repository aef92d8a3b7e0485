"""Lucene queries of translated words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qgdr_pyserini.dictionary.translate import TranslatedWord
from qgdr_pyserini.pyserini_plugin.jvm import java_class

FIELD, ID = "contents", "id"

MAX_SINGLE = 12
MAX_PHRASES = 4
"""Translations of one and of several words that are searched for one word, the heaviest of them."""

QUESTION_WORDS = {"en": frozenset(("how", "what", "when", "where", "which", "who", "whom", "whose", "why"))}
"""Words that the analyzer keeps but that say nothing about what a passage holds, by language."""

Terms = tuple[str, ...]


class QueryBuilder:
    """Turns translated words into queries.

    A word's one-word translations count as spellings of one term whose frequency is their weighted sum, after
    Pirkola (1998) and Darwish and Oard (2003), which is what Lucene's ``SynonymQuery`` computes: so neither
    many translations nor rare ones make a word more important. Translations of several words share in
    the word's weight.

    Parameters
    ----------
    analyzer
        The index's Lucene analyzer.
    language
        The corpus's language.
    """

    def __init__(self, analyzer: Any, language: str) -> None:
        self._analyzer = analyzer
        self._question_words = QUESTION_WORDS.get(language, frozenset())
        self._terms: dict[str, Terms] = {}
        self._queries: dict[TranslatedWord, Any] = {}
        self._analyze = java_class("io.anserini.analysis.AnalyzerUtils").analyze
        self._boolean = java_class("org.apache.lucene.search.BooleanQuery$Builder")
        self._boost = java_class("org.apache.lucene.search.BoostQuery")
        self._synonyms = java_class("org.apache.lucene.search.SynonymQuery$Builder")
        self._term = java_class("org.apache.lucene.index.Term")
        self._term_query = java_class("org.apache.lucene.search.TermQuery")
        occur = java_class("org.apache.lucene.search.BooleanClause$Occur")
        self._should, self._must, self._filter = occur.SHOULD, occur.MUST, occur.FILTER

    def question(self, words: Sequence[TranslatedWord]) -> Any | None:
        """Build a question's query; None if nothing of it can be searched."""
        queries = [query for query in map(self._word, words) if query is not None]
        return self._any_of([(query, 1.0) for query in queries]) if queries else None

    def among(self, words: Sequence[TranslatedWord], docids: Sequence[str]) -> Any | None:
        """Build a question's query that finds nothing but some passages; None if nothing can be searched."""
        question = self.question(words)
        if question is None or not docids:
            return None
        wanted = self._any_of([(self._term_query(self._term(ID, docid)), 1.0) for docid in docids])
        return self._boolean().add(question, self._must).add(wanted, self._filter).build()

    def _word(self, word: TranslatedWord) -> Any | None:
        if word not in self._queries:
            self._queries[word] = None if self._says_nothing(word) else self._build(word)
        return self._queries[word]

    def _says_nothing(self, word: TranslatedWord) -> bool:
        """Tell whether a word is a function word: one of its translations is."""
        meanings = [english.lower() for english, _ in word.translations] or [word.source]
        single = (english for english in meanings if " " not in english)
        return any(english in self._question_words or not self._analyzed(english) for english in single)

    def _build(self, word: TranslatedWord) -> Any | None:
        weights: dict[Terms, float] = {}
        for text, weight in (*word.translations, (word.source, word.kept)):
            terms = self._analyzed(text) if weight else ()
            if terms:
                weights[terms] = weights.get(terms, 0.0) + weight
        if not weights:
            return None
        heaviest = sorted(weights.items(), key=lambda item: -item[1])
        single = [(terms[0], weight) for terms, weight in heaviest if len(terms) == 1][:MAX_SINGLE]
        phrases = [(terms, weight) for terms, weight in heaviest if len(terms) > 1][:MAX_PHRASES]
        parts = [(self._synonym(single), sum(weight for _, weight in single))] if single else []
        parts += [(self._any_of([(self._one(term), 1.0) for term in terms]), w) for terms, w in phrases]
        total = sum(weights.values())
        return parts[0][0] if len(parts) == 1 else self._any_of([(query, w / total) for query, w in parts])

    def _synonym(self, weights: Sequence[tuple[str, float]]) -> Any:
        """Build a query for terms that count as one, the heaviest first."""
        builder = self._synonyms(FIELD)
        for term, weight in weights:
            builder.addTerm(self._term(FIELD, term), weight / weights[0][1])
        return builder.build()

    def _one(self, term: str) -> Any:
        return self._term_query(self._term(FIELD, term))

    def _any_of(self, queries: Sequence[tuple[Any, float]]) -> Any:
        builder = self._boolean()
        for query, weight in queries:
            builder.add(query if weight == 1 else self._boost(query, weight), self._should)
        return builder.build()

    def _analyzed(self, text: str) -> Terms:
        if text not in self._terms:
            self._terms[text] = tuple(self._analyze(self._analyzer, text).toArray())
        return self._terms[text]
