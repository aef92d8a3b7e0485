"""Tokens and stems: what a dictionary's spelling and a question's inflected words have in common."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable, Iterator

import regex

# Korean puts spaces, but particles stick to its words, so longest match serves it too.
_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}ー\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Hangul}"
_RUN = regex.compile(rf"(?V1)[{_UNSPACED}]+|[[\p{{L}}\p{{M}}\p{{N}}]--[{_UNSPACED}]]+")
_UNSPACED_RUN = regex.compile(rf"[{_UNSPACED}]+")
_LATIN = regex.compile(r"[\p{Latin}\p{N}\p{M}]+")

# Vowel signs of Arabic and Hebrew, Arabic lengthening, and the stress mark of Russian dictionaries.
_OPTIONAL_MARKS = regex.compile(r"[\u064b-\u065f\u0670\u0640\u0591-\u05c7]|(?<=\p{Cyrillic})\u0301")
_SAME_LETTERS = str.maketrans("أإآٱىةё", "ااااي" + "هе")

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


def tokenize(text: str) -> list[str]:
    """Tokenize a text into runs of letters, marks and digits, spelled as dictionaries are searched.

    Case, optional marks and letters that are written either way are normalised. A run is a word, or in
    scripts without spaces (see `is_unspaced`) several.

    Examples
    --------
    >>> tokenize("Où est l'Élysée?"), tokenize("Ёлка и еда́"), tokenize("goodを誰が")
    (['où', 'est', 'l', 'élysée'], ['елка', 'и', 'еда'], ['good', 'を誰が'])
    """
    even = unicodedata.normalize("NFKC", text).casefold()
    found: list[str] = _RUN.findall(_OPTIONAL_MARKS.sub("", even).translate(_SAME_LETTERS))
    return found


def tokenize_with_offsets(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield the runs of a text, each with where it begins and ends in the text as it is.

    Examples
    --------
    >>> list(tokenize_with_offsets("L'Élysée"))
    [('l', 0, 1), ('élysée', 2, 8)]
    """
    for match in _RUN.finditer(text):
        yield _normalised(match[0]), match.start(), match.end()


# Texts repeat their words, and normalising takes longer than finding them.
@functools.lru_cache(maxsize=1 << 15)
def _normalised(run: str) -> str:
    return "".join(tokenize(run))


def is_unspaced(run: str) -> bool:
    """Tell whether a run is in a script without spaces around words: Chinese, Japanese, Thai, Korean ..."""
    return _UNSPACED_RUN.fullmatch(run) is not None


def is_latin(run: str) -> bool:
    """Tell whether a run could stand in an English text as it is, as names do."""
    return _LATIN.fullmatch(run) is not None


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
        Without vowel signs, with alef, yeh and teh marbuta as `tokenize` spells them.
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
