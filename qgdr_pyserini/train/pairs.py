"""Sources of positive pairs: a text in some language, and the English text it should lie near."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

import numpy as np

from qgdr_pyserini.collection.training_set import TrainingPassage, TrainingQuery, TrainingSet, Translation
from qgdr_pyserini.train.code_switching import CodeSwitcher
from qgdr_pyserini.train.pair_settings import PairSettings, SourceSettings

Row = TypeVar("Row")


class Pair(NamedTuple):
    """A positive pair; pairs of one key are not each other's negatives.

    Of a translation, both texts are of the kind that questions are.
    """

    query: str
    passage: str
    key: str
    translation: bool = False


class PairSource(Protocol):
    """Something to draw positive pairs from."""

    def draw(self, size: int, rng: np.random.Generator) -> list[Pair]:
        """Draw ``size`` pairs with replacement."""


class ByLanguage(Generic[Row]):
    """Rows drawn by language first, so that small languages are heard.

    Parameters
    ----------
    rows
        What to draw from.
    language
        Tells a row's language.
    exponent
        A language of n rows is drawn with probability proportional to n to this power:
        1 leaves the proportions of the data, 0 makes all languages equal.
    """

    def __init__(self, rows: Iterable[Row], language: Callable[[Row], str], exponent: float) -> None:
        groups: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            groups[language(row)].append(row)
        self._groups: list[Sequence[Row]] = [groups[lang] for lang in sorted(groups)]
        weights = np.array([len(group) for group in self._groups], dtype=float) ** exponent
        self._probabilities = weights / weights.sum()

    def draw(self, size: int, rng: np.random.Generator) -> list[Row]:
        """Draw ``size`` rows with replacement."""
        chosen = rng.choice(len(self._groups), size=size, p=self._probabilities)
        places = rng.random(size)
        return [self._groups[g][int(p * len(self._groups[g]))] for g, p in zip(chosen, places, strict=True)]


class QueryPairs:
    """Queries with their passages, for training the task itself."""

    def __init__(
        self, queries: Iterable[TrainingQuery], passages: dict[str, TrainingPassage], exponent: float
    ) -> None:
        self._queries = ByLanguage(queries, lambda row: row.lang, exponent)
        self._passages = passages

    def draw(self, size: int, rng: np.random.Generator) -> list[Pair]:
        """Draw ``size`` pairs with replacement."""
        rows = self._queries.draw(size, rng)
        return [Pair(row.query, self._passages[row.docid].contents, row.docid) for row in rows]


class TranslationPairs:
    """Texts with their English translations."""

    def __init__(self, rows: Iterable[Translation], exponent: float) -> None:
        self._rows = ByLanguage(rows, lambda row: row.lang, exponent)

    def draw(self, size: int, rng: np.random.Generator) -> list[Pair]:
        """Draw ``size`` pairs with replacement."""
        rows = self._rows.draw(size, rng)
        return [Pair(row.text, row.english, row.english.lower(), translation=True) for row in rows]


class SamePairs:
    """English texts with themselves, each with its key."""

    def __init__(self, texts: Iterable[tuple[str, str]], *, questions: bool = False) -> None:
        self._texts = list(texts)
        self._questions = questions

    def draw(self, size: int, rng: np.random.Generator) -> list[Pair]:
        """Draw ``size`` pairs with replacement."""
        chosen = (self._texts[i] for i in rng.integers(len(self._texts), size=size))
        return [Pair(text, text, key, self._questions) for text, key in chosen]


class CodeSwitchedPairs:
    """Pairs of another source whose English queries are put, word by word, into other languages."""

    def __init__(self, english: PairSource, switcher: CodeSwitcher) -> None:
        self._english = english
        self._switcher = switcher

    def draw(self, size: int, rng: np.random.Generator) -> list[Pair]:
        """Draw ``size`` pairs with replacement."""
        pairs = self._english.draw(size, rng)
        return [pair._replace(query=self._switcher.switch(pair.query, rng)) for pair in pairs]


def pair_sources(data: TrainingSet, settings: PairSettings) -> list[tuple[PairSource, SourceSettings]]:
    """Make the sources of a training set, each with its weight and batch size."""
    exponent, chosen = settings.language_exponent, settings.sources
    switcher = CodeSwitcher([*data.lexicon, *data.names], settings.lowest_switch_rate)
    english = QueryPairs((row for row in data.queries if row.lang == "en"), data.passages, exponent)
    asked = {row.english for row in data.questions} | {row.query for row in data.queries if row.lang == "en"}
    questions = SamePairs(((text, text.lower()) for text in sorted(asked)), questions=True)
    return [
        (QueryPairs(data.queries, data.passages, exponent), chosen.queries),
        (CodeSwitchedPairs(english, switcher), chosen.code_switched_queries),
        (TranslationPairs(data.questions, exponent), chosen.questions),
        (TranslationPairs(data.sentences, exponent), chosen.sentences),
        (TranslationPairs(data.lexicon, exponent), chosen.lexicon),
        (TranslationPairs(data.names, exponent), chosen.names),
        (questions, chosen.english_questions),
        (CodeSwitchedPairs(questions, switcher), chosen.code_switched_questions),
        (SamePairs((row.contents, docid) for docid, row in data.passages.items()), chosen.passages),
    ]


def draw_batch(
    sources: Sequence[tuple[PairSource, SourceSettings]], rng: np.random.Generator, size: int | None = None
) -> list[Pair]:
    """Draw a batch from one source, drawn by weight; of its own batch size when None."""
    weights = np.array([settings.weight for _, settings in sources])
    source, settings = sources[int(rng.choice(len(sources), p=weights / weights.sum()))]
    return source.draw(size or settings.batch_size, rng)
