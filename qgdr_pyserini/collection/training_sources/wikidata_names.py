"""Names from Wikidata in six scripts, with their spelling in Latin script.

Merhav and Ash (2018). Layout: ``data/wd_LANGUAGE.normalized.aligned.tokens``, whose columns are the name in
Latin script, the name with blanks between its characters, and how often the two were seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from qgdr_pyserini.collection.training_set import Translation
from qgdr_pyserini.collection.training_sources.base import NAMES, Row, clean, register, split_columns
from qgdr_pyserini.files import read_lines

SOURCE = "wikidata-names"

_LANGUAGES = {
    "arabic": "ar", "chinese": "zh", "hebrew": "he", "japanese": "ja", "katakana": "ja", "korean": "ko",
    "russian": "ru",
}  # fmt: skip
_FILE = re.compile(r"wd_([a-z]+)\.normalized\.aligned\.tokens")


@register(
    SOURCE,
    files=("wd_*.normalized.aligned.tokens",),
    origin="https://github.com/steveash/NETransliteration-COLING2018/tree/master/data",
    pairs=NAMES,
)
def read_names(files: Sequence[Path]) -> Iterator[Row]:
    """Read names; files in other languages are passed over.

    Raises
    ------
    InputError
        If a line has not three columns.
    """
    for file in files:
        named = _FILE.fullmatch(file.name)
        if named and named[1] in _LANGUAGES:
            for number, line in read_lines(file):
                latin, spaced, _ = split_columns(line, [3], file, number)
                name = "".join(spaced.split())
                yield Translation(_LANGUAGES[named[1]], name, clean(latin).lower(), SOURCE)
