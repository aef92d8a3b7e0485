"""A glossary for an encoder, from the lexicon and the names that it learned from."""

from __future__ import annotations

import functools
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from transformers import PreTrainedTokenizerBase

from qgdr_pyserini.collection.training_set import TrainingSet
from qgdr_pyserini.dictionary.glossary import FILE, MOST_MEANINGS, Glossary, Words, key
from qgdr_pyserini.dictionary.identifying import ENGLISH
from qgdr_pyserini.dictionary.lexicon import Entries, collect_entries
from qgdr_pyserini.dictionary.stems import Stem, phrase_stemmer
from qgdr_pyserini.dictionary.words import runs
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.loading import load_tokenizer
from qgdr_pyserini.train.recipe_settings import GlossarySettings, Recipe
from qgdr_pyserini.train.training_data import read_training_data

_MOST_WORDS = 3
"""Longest translation that is kept; longer ones explain rather than translate."""
_MOST_PIECES = 255

Stored = dict[str, list[str]]
"""Translations by stems of a phrase, the best first."""


def make_glossary(
    data: TrainingSet, tokenizer: PreTrainedTokenizerBase, settings: GlossarySettings
) -> Glossary:
    """Make a glossary.

    Parameters
    ----------
    data
        Lexicon and names, and English text that tells which translations are in use.
    tokenizer
        The encoder's, in whose subwords translations are kept.
    settings
        How many translations are kept.
    """
    common, languages = _english_words(data), sorted({row.lang for row in data.lexicon} - {ENGLISH})
    lexicon, names = (collect_entries(rows, languages) for rows in (data.lexicon, data.names))
    stored = {}
    for language in languages:
        chosen = functools.partial(_best, phrase_stemmer(language), common, settings)
        stored[language] = chosen(names[language]) | chosen(lexicon[language])
    numbers = _most_used(stored)
    pieces = [_pieces(tokenizer, english) for english in numbers]
    return Glossary(
        {language: _words(phrases, numbers, settings.translations) for language, phrases in stored.items()},
        tuple(sorted({*_languages(data), ENGLISH})),
        np.array([piece for meaning in pieces for piece in meaning], dtype=np.uint32),
        np.array([len(meaning) for meaning in pieces], dtype=np.uint8),
    )


def add_glossary(folder: Path, data: TrainingSet, settings: GlossarySettings) -> Glossary:
    """Write a glossary into an encoder's folder, in place of one that is there.

    Parameters
    ----------
    folder
        The encoder's folder, with its tokenizer.
    data, settings
        As for `make_glossary`.

    Returns
    -------
    Glossary
        What was written.

    Raises
    ------
    QgdrError
        If the tokenizer cannot be loaded.
    """
    glossary = make_glossary(data, load_tokenizer(str(folder)), settings)
    glossary.save(folder / FILE)
    return glossary


def gloss_encoder(folder: Path, recipe: Recipe, data_folder: Path) -> Glossary:
    """Give a trained encoder the glossary that training by a recipe would have given it.

    Parameters
    ----------
    folder
        The encoder's folder.
    recipe
        Its groups ``data`` and ``glossary`` and its ``holdout`` are used.
    data_folder
        The training folder.

    Returns
    -------
    Glossary
        What was written.

    Raises
    ------
    QgdrError
        If the data cannot be read or has no lexicon.
    """
    data = read_training_data(data_folder, recipe.data, recipe.holdout)
    if data.pairs is None or not data.pairs.lexicon:
        raise QgdrError(f"{data_folder}: no lexicon; a glossary needs data of format 'training-set'")
    return add_glossary(folder, data.pairs, recipe.glossary or GlossarySettings())


def _languages(data: TrainingSet) -> set[str]:
    texts = (data.queries, data.questions, data.sentences, data.lexicon, data.names)
    return {row.lang for rows in texts for row in rows}


def _english_words(data: TrainingSet) -> Counter[str]:
    counts: Counter[str] = Counter()
    for passage in data.passages.values():
        counts.update(runs(passage.contents))
    for row in (*data.questions, *data.sentences):
        counts.update(runs(row.english))
    return counts


def _best(stem: Stem, common: Counter[str], settings: GlossarySettings, entries: Entries) -> Stored:
    """Choose translations of stems: those that most forms have, then those whose words are the commonest."""
    votes: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for phrase, translations in entries.items():
        usual = {english.lower(): None for english in translations}
        usual = {english: None for english in usual if _commonness(english, common) >= settings.rarest}
        for english in usual:
            votes[stem(phrase)][english] += 1 / len(usual)
    best = {}
    for stems, found in votes.items():
        ranked = sorted(found, key=lambda english: (-round(found[english], 3), -_commonness(english, common)))
        best[stems] = ranked[: settings.translations]
    return best


def _commonness(english: str, common: Counter[str]) -> int:
    """Give how often the rarest word of a translation occurs; -1 for one that is empty or too long."""
    words = runs(english)
    return min(common[word] for word in words) if 0 < len(words) <= _MOST_WORDS else -1


def _most_used(stored: dict[str, Stored]) -> dict[str, int]:
    """Give the translations numbers from 1, the most used first; what no number is left for is dropped."""
    used = Counter(english for phrases in stored.values() for best in phrases.values() for english in best)
    ranked = sorted(used, key=lambda english: (-used[english], english))
    return {english: number for number, english in enumerate(ranked[:MOST_MEANINGS], 1)}


def _pieces(tokenizer: PreTrainedTokenizerBase, english: str) -> list[int]:
    pieces: list[int] = tokenizer(english, add_special_tokens=False)["input_ids"]
    return pieces[:_MOST_PIECES]


def _words(phrases: Stored, numbers: Mapping[str, int], translations: int) -> Words:
    rows: dict[int, list[int]] = {}
    for stems, best in phrases.items():
        known = [numbers[english] for english in best if english in numbers]
        if known:
            # Of two phrases with one hash, the first stays.
            rows.setdefault(key(stems), known + [0] * (translations - len(known)))
    hashes = sorted(rows)  # equal dictionaries give equal files
    return Words(
        np.array(hashes, dtype=np.uint32),
        np.array([rows[one] for one in hashes], dtype=np.uint16).reshape(len(hashes), translations),
        max((stems.count(" ") + 1 for stems in phrases), default=1),
        max(map(len, phrases), default=1),
    )
