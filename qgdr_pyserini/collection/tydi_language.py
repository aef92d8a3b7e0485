"""The language of XOR-TyDi's questions, where a file does not say it."""

from __future__ import annotations

import regex

# The seven languages' scripts differ, so that a row without "lang" still tells its language.
_SCRIPTS = {
    "ar": r"\p{Arabic}",
    "bn": r"\p{Bengali}",
    "te": r"\p{Telugu}",
    "ko": r"\p{Hangul}",
    "ja": r"[\p{Hiragana}\p{Katakana}\p{Han}]",
    "ru": r"\p{Cyrillic}",
}


def tydi_language(text: str) -> str:
    """Tell the language by the script that most letters are in; Finnish is the one in Latin script.

    Examples
    --------
    >>> tydi_language("Где Волга?"), tydi_language("Missä Volga on?")
    ('ru', 'fi')
    """
    counts = {lang: len(regex.findall(script, text)) for lang, script in _SCRIPTS.items()}
    best = max(counts, key=counts.__getitem__)
    return best if counts[best] else "fi"
