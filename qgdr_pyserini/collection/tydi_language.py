"""The languages of TyDi's sets: Mr. TyDi's by the names of its folders, XOR-TyDi's by a question's script."""

from __future__ import annotations

import regex

MR_TYDI = {
    "ar": "arabic", "bn": "bengali", "en": "english", "fi": "finnish", "id": "indonesian", "ja": "japanese",
    "ko": "korean", "ru": "russian", "sw": "swahili", "te": "telugu", "th": "thai",
}  # fmt: skip
"""Mr. TyDi's languages, by code, as its folders are called."""

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
