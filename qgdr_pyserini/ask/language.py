"""Which language a question is in, and what that is called."""

from __future__ import annotations

import functools

from qgdr_pyserini.dictionary.language_id import LanguageIdentifier

CANDIDATES = (
    "af", "ar", "az", "be", "bg", "bn", "bs", "ca", "cs", "cy", "da", "de", "el", "en", "es", "et",
    "eu", "fa", "fi", "fr", "ga", "gl", "gu", "he", "hi", "hr", "hu", "hy", "id", "is", "it", "ja",
    "ka", "kk", "km", "kn", "ko", "lo", "lt", "lv", "mk", "ml", "mn", "mr", "ms", "ne", "nl", "no",
    "pa", "pl", "ps", "pt", "ro", "ru", "si", "sk", "sl", "sq", "sr", "sv", "sw", "ta", "te", "th",
    "tr", "uk", "ur", "vi", "zh",
)  # fmt: skip
"""Languages that a question may be in: py3langid's, without those that are taken for their neighbours' more
often than they are met."""


@functools.cache
def _identifier() -> LanguageIdentifier:
    return LanguageIdentifier(CANDIDATES)


def question_language(question: str) -> str:
    """Tell the language of a question, by its letters alone; short ones may be mistaken.

    Examples
    --------
    >>> question_language("Wo entspringt die Donau?"), question_language("多瑙河发源于哪里？")
    ('de', 'zh')
    """
    return _identifier().identify(question)
