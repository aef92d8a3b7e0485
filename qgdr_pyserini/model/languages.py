"""English names of languages, for prompts."""

from __future__ import annotations

import functools
from pathlib import Path

from qgdr_pyserini.errors import QgdrError


def language_name(code: str) -> str:
    """Name a language in English, from Unicode's CLDR.

    Parameters
    ----------
    code
        ISO 639-1 or 639-3, with or without a script or region that CLDR has a name for.

    Raises
    ------
    QgdrError
        If CLDR knows no such language.

    Examples
    --------
    >>> [language_name(code) for code in ("de", "zh", "bem", "zh_Hant")]
    ['German', 'Chinese', 'Bemba', 'Traditional Chinese']
    """
    names = _names()
    key = code.replace("-", "_")
    if key not in names:
        raise QgdrError(f"language {code!r} has no English name in CLDR; give an ISO 639 code such as 'de'")
    return names[key]


@functools.cache
def _names() -> dict[str, str]:
    """Read the names, whose file says how it was made."""
    lines = Path(__file__).with_name("language_names.tsv").read_text(encoding="utf-8").splitlines()
    return dict(line.split("\t") for line in lines if not line.startswith("#"))
