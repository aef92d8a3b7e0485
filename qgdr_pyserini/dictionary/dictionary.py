"""Dictionaries: finding a word's translations in spite of inflection; reading those of several languages."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from qgdr_pyserini.dictionary.lexicon import Entries, read_lexicon
from qgdr_pyserini.dictionary.words import ARABIC, phrase_stemmer, shorter_forms, skeleton, without_prefix

NAME_WEIGHT = 0.3
"""Weight of a transliterated name beside a translation's 1: most such names are also words."""

SHORTEST_PART = 4
"""Letters in the shortest part of a compound that is looked for."""
SHORTEST_COMPOUND = 8
LINKS = ("", "s", "n", "en", "es", "e", "er")
"""What German, Dutch and Scandinavian compounds put between their parts."""

SHORTEST_SKELETON = 3

Weights = dict[str, float]
"""Weight by translation."""


class Dictionary:
    """Translations of one language's words and phrases.

    A phrase is looked up as it is and by its words' stems; what a stem alone finds counts for less the more
    translations it brings. Weights were chosen on questions of SQuAD's and MKQA's translations.

    Parameters
    ----------
    language
        ISO code, for the stemmer.
    entries
        Translations by phrase, from `read_lexicon`.
    names
        Names in Latin script by name, likewise; only where ``entries`` has no such word.

    Examples
    --------
    >>> german = Dictionary("de", {"stadt": ("city", "town"), "mauer": ("wall",)})
    >>> german.find(["mauer"]), german.find(["städte"]), german.find(["turm"])
    ({'wall': 1.0}, {'city': 0.5, 'town': 0.5}, None)
    >>> german.parts("stadtmauern")
    [{'city': 1.0, 'town': 1.0}, {'wall': 1.0}]
    """

    def __init__(self, language: str, entries: Entries, names: Mapping[str, tuple[str, ...]] = {}) -> None:
        self.language = language
        self._entries = entries
        self._names = {name: latin for name, latin in names.items() if name not in entries}
        self._stems = phrase_stemmer(language)
        keys = [*self._entries, *self._names]
        self._by_stem = _group(keys, self._stems)
        words = (key for key in self._entries if " " not in key and len(skeleton(key)) >= SHORTEST_SKELETON)
        self._by_skeleton = _group(words, skeleton) if language == ARABIC else {}
        self.most_words = max((key.count(" ") + 1 for key in keys), default=1)
        self.most_letters = max(map(len, keys), default=1)

    def __len__(self) -> int:
        return len(self._entries) + len(self._names)

    def exactly(self, phrase: str) -> Weights:
        """Give the phrase's own translations; a name's only where the lexicon has no such word."""
        found = dict.fromkeys(self._entries.get(phrase, ()), 1.0)
        return found or dict.fromkeys(self._names.get(phrase, ()), NAME_WEIGHT)

    def find(self, words: Sequence[str]) -> Weights | None:
        """Translate a phrase, also in another form; None if unknown."""
        phrase = " ".join(words)
        found = self.exactly(phrase)
        for key in self._by_stem.get(self._stems(phrase), ()):
            if key != phrase:
                _add_shared(found, self.exactly(key))
        return found or None

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
            found = self.find([without_prefix(word)]) or self._by_consonants(word)
        return found or next(filter(None, (self.find([form]) for form in shorter_forms(word))), None)

    def _by_consonants(self, word: str) -> Weights:
        """Translate an Arabic word by the strong consonants that its plural shares with it."""
        found: Weights = {}
        for key in self._by_skeleton.get(skeleton(word), ()):
            _add_shared(found, self.exactly(key))
        return found


def _group(keys: Iterable[str], form: Callable[[str], str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = defaultdict(list)
    for key in keys:
        found[form(key)].append(key)
    return {name: tuple(group) for name, group in found.items()}


def _add_shared(total: Weights, found: Weights) -> None:
    """Add translations that together weigh what the best of them weighs."""
    for english, weight in found.items():
        total[english] = total.get(english, 0.0) + weight / len(found)


def base_language(language: str) -> str:
    """Give a language without script and region, as lexicons list it.

    Examples
    --------
    >>> base_language("zh-Hant"), base_language("pt_BR")
    ('zh', 'pt')
    """
    return language.replace("_", "-").split("-")[0].lower()


def read_dictionaries(
    lexicon: str | os.PathLike[str],
    names: str | os.PathLike[str] | None,
    languages: Collection[str],
) -> dict[str, Dictionary]:
    """Read dictionaries.

    Parameters
    ----------
    lexicon
        Words and phrases: language, word, translation a line (see `read_lexicon`).
    names
        Names and their spelling in Latin script, in the same format; or None.
    languages
        Which to read, as `topics_language` spells them.

    Returns
    -------
    dict of str to Dictionary
        By language; one that no file has entries for is left out.

    Raises
    ------
    InputError
        If a file cannot be read or a line is malformed.
    """
    wanted = {language: base_language(language) for language in languages}
    entries = read_lexicon(lexicon, set(wanted.values()))
    latin = read_lexicon(names, set(wanted.values())) if names is not None else {}
    by_base = {base: Dictionary(base, entries[base], latin.get(base, {})) for base in entries}
    return {language: by_base[base] for language, base in wanted.items() if len(by_base[base])}
