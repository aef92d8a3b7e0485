"""How often words occur in each language of a training set."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from qgdr_pyserini.collection.training_set import TrainingSet, Translation
from qgdr_pyserini.train.text_form import normalizer, pre_tokenizer

ENGLISH = "en"

# Frequent words count for less than they occur, so that a lexicon's words, each there once, are heard.
_EXPONENT = 0.75
_PER_LANGUAGE = 60_000

WordCounts = dict[str, Counter[str]]
"""Number of occurrences of each word, in the form of `text_form`, by language."""


def count_words(data: TrainingSet, lines_per_language: int, seed: int) -> WordCounts:
    """Count words of all languages.

    Parameters
    ----------
    data
        The training set. English counts by its passages and queries: the English sides of translations
        repeat themselves in every language.
    lines_per_language
        How many lines of each kind of text and language are looked at; English passages all are.
    seed
        Of that sample.
    """
    spell, cut = normalizer(), pre_tokenizer()
    counts: WordCounts = defaultdict(Counter)
    for language, line in _lines(data, lines_per_language, random.Random(seed)):
        counts[language].update(word for word, _ in cut.pre_tokenize_str(spell.normalize_str(line)))
    return dict(sorted(counts.items()))


def damped(counts: Counter[str]) -> Iterator[tuple[str, int]]:
    """Give a language's words with how often a vocabulary's training should see them.

    Examples
    --------
    >>> list(damped(Counter({"der": 10_000, "elbe": 1})))
    [('der', 1000), ('elbe', 1)]
    """
    weights = {word: count**_EXPONENT for word, count in counts.items()}
    share, carried = min(1.0, _PER_LANGUAGE / sum(weights.values())), 0.0
    for word, weight in weights.items():
        carried += weight * share
        if times := int(carried):
            carried -= times
            yield word, times


def _lines(data: TrainingSet, limit: int, rng: random.Random) -> Iterator[tuple[str, str]]:
    for passage in data.passages.values():
        yield ENGLISH, passage.contents
    queries = [Translation(row.lang, row.query, "", row.source) for row in data.queries]
    for rows in (queries, data.questions, data.sentences, data.lexicon, data.names):
        yield from _sample(rows, limit, rng)


def _sample(rows: Iterable[Translation], limit: int, rng: random.Random) -> Iterator[tuple[str, str]]:
    by_language: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        by_language[row.lang].append(row.text)
    for language, texts in sorted(by_language.items()):
        for text in rng.sample(texts, min(limit, len(texts))):
            yield language, text
