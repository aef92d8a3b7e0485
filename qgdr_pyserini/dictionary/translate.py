"""Dictionary-based translation: from a question to its words' translations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from qgdr_pyserini.dictionary.dictionary import Dictionary, Weights
from qgdr_pyserini.dictionary.words import is_latin, is_unspaced, tokenize

KEPT_WEIGHT = 0.5
"""Weight of a word as it is beside its translations: it may be a name, and names stay names."""


@dataclass(frozen=True, slots=True)
class TranslatedWord:
    """A word or phrase of a question, and what to search for it.

    Parameters
    ----------
    source
        The word, in the spelling of `tokenize`.
    translations
        Weight by translation; empty if the word is unknown.
    kept
        Weight of the word itself.
    """

    source: str
    translations: tuple[tuple[str, float], ...] = ()
    kept: float = 0.0


def translate(question: str, dictionary: Dictionary) -> list[TranslatedWord]:
    """Translate a question word by word, the longest phrases first; unknown words are kept.

    What is unknown in a script without spaces may be any number of words: it comes with no weight.

    Examples
    --------
    >>> spanish = Dictionary("es", {"rey": ("king",), "casa blanca": ("White House",), "casa": ("house",)})
    >>> for word in translate("¿El rey de la Casa Blanca?", spanish):
    ...     print(word.source, dict(word.translations), word.kept)
    el {} 1.0
    rey {'king': 1.0} 0.5
    de {} 1.0
    la {} 1.0
    casa blanca {'White House': 1.0} 0.0
    """
    words, found = tokenize(question), list[TranslatedWord]()
    while words:
        used, translated = _next(words, dictionary)
        found += translated
        del words[:used]
    return found


def _next(words: list[str], dictionary: Dictionary) -> tuple[int, list[TranslatedWord]]:
    """Translate the beginning of some words; also tell how many words that was."""
    if is_unspaced(words[0]):
        return 1, list(_longest_matches(words[0], dictionary))
    for count in range(min(dictionary.most_words, len(words)), 0, -1):
        if found := dictionary.find(words[:count]):
            return count, [_known(" ".join(words[:count]), found)]
    return 1, _unknown(words[0], dictionary)


def _longest_matches(run: str, dictionary: Dictionary) -> Iterator[TranslatedWord]:
    """Cut a run without spaces from the left into the longest words known, and what lies between them."""
    start = between = 0
    while start < len(run):
        for end in range(min(len(run), start + dictionary.most_letters), start, -1):
            if found := dictionary.exactly(run[start:end]):
                if between < start:
                    yield TranslatedWord(run[between:start])
                yield TranslatedWord(run[start:end], tuple(found.items()))
                start = between = end
                break
        else:
            start += 1
    if between < start:
        yield TranslatedWord(run[between:start])


def _known(phrase: str, found: Weights) -> TranslatedWord:
    return TranslatedWord(phrase, tuple(found.items()), KEPT_WEIGHT if is_latin(phrase) else 0.0)


def _unknown(word: str, dictionary: Dictionary) -> list[TranslatedWord]:
    if parts := dictionary.parts(word):
        return [TranslatedWord(word, tuple(part.items())) for part in parts]
    if found := dictionary.guess(word):
        return [TranslatedWord(word, tuple(found.items()), max(found.values()))]
    return [TranslatedWord(word, kept=1.0)]
