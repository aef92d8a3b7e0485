"""Language identification: which language a question is in."""

from __future__ import annotations

from collections.abc import Iterable

from qgdr_pyserini.errors import QgdrError

ENGLISH = "en"


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
