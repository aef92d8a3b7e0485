"""How a word of a question is found in one language's dictionary, however that is stored."""

from __future__ import annotations

import abc
from collections.abc import Sequence

from qgdr_pyserini.dictionary.stems import ARABIC, shorter_forms, without_prefix

SHORTEST_PART = 4
"""Letters in the shortest part of a compound that is looked for."""
SHORTEST_COMPOUND = 8
LINKS = ("", "s", "n", "en", "es", "e", "er")
"""What German, Dutch and Scandinavian compounds put between their parts."""

Weights = dict[str, float]
"""Weight by translation."""


class Lookup(abc.ABC):
    """Translations of one language's words and phrases.

    Attributes
    ----------
    language
        ISO code.
    most_words, most_letters
        Of the longest phrase.
    """

    language: str
    most_words: int
    most_letters: int

    @abc.abstractmethod
    def exactly(self, phrase: str) -> Weights:
        """Translate a phrase as it is; empty if it is not there."""

    @abc.abstractmethod
    def find(self, words: Sequence[str]) -> Weights | None:
        """Translate a phrase, also in another form; None if unknown."""

    def parts(self, word: str) -> list[Weights] | None:
        """Translate the two parts of a compound, the first as long as can be; None if it is not one."""
        if len(word) < SHORTEST_COMPOUND:
            return None
        for place in range(len(word) - SHORTEST_PART + 1, SHORTEST_PART - 1, -1):
            for link in LINKS:
                head = word[:place].removesuffix(link)
                if not word[:place].endswith(link) or len(head) < SHORTEST_PART:
                    continue
                first, second = self.find([head]), self.find([word[place:]])
                if first and second:
                    return [first, second]
        return None

    def guess(self, word: str) -> Weights | None:
        """Translate a word that is not found by a shorter form of it, or by an Arabic one's consonants."""
        found = None
        if self.language == ARABIC:
            found = self.find([without_prefix(word)]) or self.by_consonants(word)
        return found or next(filter(None, (self.find([form]) for form in shorter_forms(word))), None)

    def by_consonants(self, word: str) -> Weights:
        """Translate an Arabic word by its consonants alone, where these are kept."""
        return {}
