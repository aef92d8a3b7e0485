"""Cutting text of any language into words that a dictionary's spelling and a question's have in common."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Iterator

import regex

# Korean puts spaces, but particles stick to its words, so longest match serves it too.
_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}ー\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Hangul}"
_RUN = regex.compile(rf"(?V1)[{_UNSPACED}]+|[[\p{{L}}\p{{M}}\p{{N}}]--[{_UNSPACED}]]+")
_UNSPACED_RUN = regex.compile(rf"[{_UNSPACED}]+")
_LATIN = regex.compile(r"[\p{Latin}\p{N}\p{M}]+")

# Vowel signs of Arabic and Hebrew, Arabic lengthening, and the stress mark of Russian dictionaries.
_OPTIONAL_MARKS = regex.compile(r"[\u064b-\u065f\u0670\u0640\u0591-\u05c7]|(?<=\p{Cyrillic})\u0301")
_SAME_LETTERS = str.maketrans("أإآٱىةё", "ااااي" + "هе")


def runs(text: str) -> list[str]:
    """Cut a text into runs of letters, marks and digits, in the spelling that dictionaries are searched by.

    Case, optional marks and letters that are written either way are evened out. A run is a word, or in
    scripts without spaces (see `is_unspaced`) several.

    Examples
    --------
    >>> runs("Où est l'Élysée?"), runs("Ёлка и еда́"), runs("goodを誰が")
    (['où', 'est', 'l', 'élysée'], ['елка', 'и', 'еда'], ['good', 'を誰が'])
    """
    even = unicodedata.normalize("NFKC", text).casefold()
    found: list[str] = _RUN.findall(_OPTIONAL_MARKS.sub("", even).translate(_SAME_LETTERS))
    return found


def located_runs(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield the runs of a text, each with where it begins and ends in the text as it is.

    Examples
    --------
    >>> list(located_runs("L'Élysée"))
    [('l', 0, 1), ('élysée', 2, 8)]
    """
    for match in _RUN.finditer(text):
        yield _evened_out(match[0]), match.start(), match.end()


# Texts repeat their words, and evening them out takes longer than finding them.
@functools.lru_cache(maxsize=1 << 15)
def _evened_out(run: str) -> str:
    return "".join(runs(run))


def is_unspaced(run: str) -> bool:
    """Tell whether a run is in a script without spaces around words: Chinese, Japanese, Thai, Korean ..."""
    return _UNSPACED_RUN.fullmatch(run) is not None


def is_latin(run: str) -> bool:
    """Tell whether a run could stand in an English text as it is, as names do."""
    return _LATIN.fullmatch(run) is not None
