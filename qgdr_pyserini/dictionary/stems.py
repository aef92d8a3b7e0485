"""Stems, by which inflected words of a question find a dictionary's basic forms."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

Stem = Callable[[str], str]

ARABIC = "ar"

ALGORITHMS = {
    "ca": "catalan", "cs": "czech", "da": "danish", "de": "german", "el": "greek", "en": "english",
    "es": "spanish", "et": "estonian", "eu": "basque", "fa": "persian", "fi": "finnish", "fr": "french",
    "ga": "irish", "hi": "hindi", "hu": "hungarian", "hy": "armenian", "id": "indonesian", "it": "italian",
    "lt": "lithuanian", "ms": "indonesian", "nb": "norwegian", "ne": "nepali", "nl": "dutch",
    "nn": "norwegian", "no": "norwegian", "pl": "polish", "pt": "portuguese", "ro": "romanian",
    "ru": "russian", "sr": "serbian", "st": "sesotho", "sv": "swedish", "ta": "tamil", "tr": "turkish",
    "yi": "yiddish",
}  # fmt: skip
"""Snowball's stemmer by language; Malay is close enough to Indonesian."""

_ARTICLES = ("وال", "بال", "كال", "فال", "لل", "ال")
_ENDINGS = ("ها", "ان", "ات", "ون", "ين", "يه", "ه", "ي")
_PREFIXES = tuple("وفبلكسيتنا")
_WEAK_LETTERS = re.compile("[اويءئؤ]")


def stemmer(language: str) -> Stem:
    """Give the stemmer of a language; words of others stay as they are.

    Examples
    --------
    >>> stemmer("es")("ciudades"), stemmer("ar")("والمدينه"), stemmer("zh")("城市")
    ('ciudad', 'مدين', '城市')
    """
    if language == ARABIC:
        return light10
    if language not in ALGORITHMS:
        return str
    import Stemmer

    stem: Stem = Stemmer.Stemmer(ALGORITHMS[language]).stemWord
    return stem


def phrase_stemmer(language: str) -> Stem:
    """Give what stems each word of a phrase.

    Examples
    --------
    >>> phrase_stemmer("de")("schwarzen meeres")
    'schwarz meer'
    """
    stem = stemmer(language)
    return lambda phrase: " ".join(map(stem, phrase.split(" ")))


def light10(word: str) -> str:
    """Strip an Arabic word's article, "and", and endings.

    Larkey, Ballesteros and Connell (2007), "Light stemming for Arabic information retrieval": better at
    retrieval than stemmers that know more, Snowball's among them.

    Parameters
    ----------
    word
        Without vowel signs, with alef, yeh and teh marbuta as `runs` spells them.
    """
    article = next((sign for sign in _ARTICLES if word.startswith(sign) and len(word) >= len(sign) + 2), "")
    if not article and word.startswith("و") and len(word) >= 4:
        article = "و"
    word = word.removeprefix(article)
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) >= len(ending) + 2:
            word = word.removesuffix(ending)
    return word


def skeleton(word: str) -> str:
    """Keep the strong consonants of an Arabic word: what a broken plural shares with its singular.

    Examples
    --------
    >>> skeleton("اطفال") == skeleton("طفل")
    True
    """
    return _WEAK_LETTERS.sub("", light10(word))


def without_prefix(word: str) -> str:
    """Take a one-letter prefix ("and", "in", "for", a verb's person) off an Arabic word.

    Examples
    --------
    >>> without_prefix("تبلغ")
    'بلغ'
    """
    return word[1:] if word.startswith(_PREFIXES) and len(word) > 3 else word


def shorter_forms(word: str) -> Iterator[str]:
    """Give a word without its last one, two and three letters, as long as four are left.

    Examples
    --------
    >>> list(shorter_forms("kündigte"))
    ['kündigt', 'kündig', 'kündi']
    """
    for count in (1, 2, 3):
        if len(word) - count >= 4:
            yield word[:-count]
