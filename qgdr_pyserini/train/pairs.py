"""Positive pairs: a text in some language, and the English text that it should lie near."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, NamedTuple, Protocol, Self, TypeVar

import numpy as np
from pydantic import Field, model_validator

from qgdr_pyserini.collection.training_set import TrainingPassage, TrainingQuery, TrainingSet, Translation
from qgdr_pyserini.settings import Settings

ANCHORLESS = ("queries", "code_switched_queries", "passages")
"""Sources whose second texts are no translations of the first."""

_WORD = re.compile(r"\w+|[^\w\s]")

_LONGEST_PHRASE = 3

_WITHOUT_SPACES = frozenset({"zh", "ja", "th", "km"})

# English inflections to take off when a form is not in the lexicon, with what to put instead.
_ENDINGS = (("ies", "y"), ("es", ""), ("s", ""), ("ed", ""), ("ed", "e"), ("ing", ""), ("ing", "e"))

Row = TypeVar("Row")


class SourceSettings(Settings):
    """One source of positive pairs.

    Parameters
    ----------
    weight
        How often a batch comes from it, relative to the other sources; 0 leaves it out.
    batch_size
        Pairs in a batch, all negatives of each other.
    """

    weight: float = Field(ge=0)
    batch_size: int = Field(ge=2)


_NONE = SourceSettings(weight=0.0, batch_size=2)


class SourcesSettings(Settings):
    """All sources of positive pairs; see `qgdr_pyserini.train.pairs`.

    Parameters
    ----------
    queries
        Queries with their passages.
    code_switched_queries
        The English ones among them, put into other languages through lexicon and names.
    questions, sentences, lexicon, names
        Texts with their translations.
    english_questions, code_switched_questions
        The translations of the questions with themselves, and put into other languages.
    passages
        Passages with themselves: what the English side was before, it is to stay.
    """

    queries: SourceSettings = _NONE
    code_switched_queries: SourceSettings = _NONE
    questions: SourceSettings = _NONE
    sentences: SourceSettings = _NONE
    lexicon: SourceSettings = _NONE
    names: SourceSettings = _NONE
    english_questions: SourceSettings = _NONE
    code_switched_questions: SourceSettings = _NONE
    passages: SourceSettings = _NONE

    @model_validator(mode="after")
    def _something_to_draw(self) -> Self:
        if not any(source["weight"] for source in self.model_dump().values()):
            raise ValueError("no source has a weight above 0")
        return self


class PairSettings(Settings):
    """Where batches of positive pairs come from.

    Parameters
    ----------
    language_exponent
        See `qgdr_pyserini.train.pairs.ByLanguage`.
    lowest_switch_rate
        Least share of words that code-switching translates.
    sources
        The sources.
    """

    language_exponent: float = Field(default=0.5, ge=0, le=1)
    lowest_switch_rate: float = Field(default=0.5, ge=0, le=1)
    sources: SourcesSettings


class CodeSwitcher:
    """Translates the words of English text that a lexicon knows and keeps the others.

    Parameters
    ----------
    entries
        Word or phrase in a language, and English. A name in Latin script counts as English.
    lowest_rate
        Each text has a share of its words translated that is drawn between this and 1.

    Examples
    --------
    >>> lexicon = [Translation("de", "Haus", "house", ""), Translation("de", "alt", "old", "")]
    >>> CodeSwitcher(lexicon, lowest_rate=1.0).switch("Two old houses?", np.random.default_rng(0))
    'Two alt Haus ?'
    """

    def __init__(self, entries: Iterable[Translation], lowest_rate: float) -> None:
        self._lexicons: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for row in entries:
            english = row.english.lower().removeprefix("to ").removeprefix("the ")
            self._lexicons[row.lang][english].append(row.text)
        self._languages = sorted(self._lexicons)
        self._lowest_rate = lowest_rate

    def switch(self, text: str, rng: np.random.Generator) -> str:
        """Translate ``text`` into a language drawn at random."""
        language = self._languages[int(rng.integers(len(self._languages)))]
        rate = rng.uniform(self._lowest_rate, 1.0)
        words = _WORD.findall(text)
        switched: list[str] = []
        while words:
            length, translations = self._longest_match(words, self._lexicons[language])
            if translations and rng.random() < rate:
                switched.append(translations[int(rng.integers(len(translations)))])
            else:
                switched.extend(words[:length])
            del words[:length]
        return ("" if language in _WITHOUT_SPACES else " ").join(switched)

    def _longest_match(self, words: list[str], lexicon: dict[str, list[str]]) -> tuple[int, list[str]]:
        for length in range(min(_LONGEST_PHRASE, len(words)), 0, -1):
            phrase = " ".join(words[:length]).lower()
            for form in _base_forms(phrase):
                # .get: the lexicon must not grow by what it is asked for.
                if found := lexicon.get(form):
                    return length, found
        return 1, []


def _base_forms(phrase: str) -> Iterable[str]:
    yield phrase
    for ending, instead in _ENDINGS:
        if phrase.endswith(ending) and len(phrase) > len(ending) + 2:
            yield phrase.removesuffix(ending) + instead


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
