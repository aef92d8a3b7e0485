"""English text put into other languages word by word, through a lexicon."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from qgdr_pyserini.collection.training_set import Translation

_WORD = re.compile(r"\w+|[^\w\s]")
_LONGEST_PHRASE = 3
_WITHOUT_SPACES = frozenset({"zh", "ja", "th", "km"})
# English inflections to take off when a form is not in the lexicon, with what to put instead.
_ENDINGS = (("ies", "y"), ("es", ""), ("s", ""), ("ed", ""), ("ed", "e"), ("ing", ""), ("ing", "e"))


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
