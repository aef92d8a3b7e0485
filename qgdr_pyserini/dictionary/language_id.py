"""Language identification: which language a text is in."""

from __future__ import annotations

import functools
from collections.abc import Iterable

from qgdr_pyserini.errors import QgdrError

ENGLISH = "en"

CANDIDATES = (
    "af", "ar", "az", "be", "bg", "bn", "bs", "ca", "cs", "cy", "da", "de", "el", "en", "es", "et",
    "eu", "fa", "fi", "fr", "ga", "gl", "gu", "he", "hi", "hr", "hu", "hy", "id", "is", "it", "ja",
    "ka", "kk", "km", "kn", "ko", "lo", "lt", "lv", "mk", "ml", "mn", "mr", "ms", "ne", "nl", "no",
    "pa", "pl", "ps", "pt", "ro", "ru", "si", "sk", "sl", "sq", "sr", "sv", "sw", "ta", "te", "th",
    "tr", "uk", "ur", "vi", "zh",
)  # fmt: skip
"""Languages that a text may be in: py3langid's, without those that are taken for their neighbours' more
often than they are met."""


class LanguageIdentifier:
    """Tells languages apart by the letters of a text (py3langid: Lui and Baldwin 2012).

    Parameters
    ----------
    languages
        ISO 639-1 codes to choose from; those that the model does not know are left out.

    Raises
    ------
    QgdrError
        If py3langid is not installed.

    Examples
    --------
    >>> identifier = LanguageIdentifier(["da", "de", "en", "zh"])
    >>> [identifier.identify(text) for text in ("Wo entspringt die Donau?", "多瑙河发源于哪里？")]
    ['de', 'zh']
    """

    def __init__(self, languages: Iterable[str]) -> None:
        try:
            from py3langid import langid
        except ImportError:
            raise QgdrError(
                "telling languages apart needs py3langid; install it, or set generation.check_language=false"
            ) from None
        self._model = langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE)
        known = set(self._model.labels)
        self.languages = frozenset(languages) & known
        self._model.set_languages(sorted(self.languages))

    def identify(self, text: str) -> str:
        """Give the likeliest language's code."""
        return str(self._model.classify(text)[0])


def identify_language(text: str) -> str:
    """Tell the language of a text among `CANDIDATES`, by its letters alone; short ones may be mistaken.

    Examples
    --------
    >>> identify_language("Wo entspringt die Donau?"), identify_language("多瑙河发源于哪里？")
    ('de', 'zh')
    """
    return _identifier().identify(text)


@functools.cache
def _identifier() -> LanguageIdentifier:
    return LanguageIdentifier(CANDIDATES)
