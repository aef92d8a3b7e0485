"""NTREX-128: the news of WMT 2019, translated from English into 128 languages by people.

Federmann, Kocmi and Xin (2022). Layout: ``NTREX-128/newstest2019-src.eng.txt`` and
``newstest2019-ref.LANGUAGE.txt``, whose equal lines are translations.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from qgdr_pyserini.collection.training_set import Translation
from qgdr_pyserini.collection.training_sources.base import SENTENCES, Row, clean, register
from qgdr_pyserini.collection.training_sources.languages import short_code
from qgdr_pyserini.collection.training_sources.parallel_lines import read_parallel_lines
from qgdr_pyserini.errors import InputError

SOURCE = "ntrex-128"

_ENGLISH = "newstest2019-src.eng.txt"
_FILE = re.compile(r"newstest2019-ref\.([a-z]{3}(?:-[A-Z][a-z]{3}|-CN)?)\.txt")
"""Of other regions (spa-MX, zho-TW), and further translations into one language, none is taken."""


@register(
    SOURCE,
    files=("newstest2019-*.txt",),
    origin="https://github.com/MicrosoftTranslator/NTREX/tree/main/NTREX-128",
    pairs=SENTENCES,
)
def read_ntrex(files: Sequence[Path]) -> Iterator[Row]:
    """Read NTREX-128.

    Raises
    ------
    InputError
        If the English file is missing, or another has more or fewer lines.
    """
    english = next((file for file in files if file.name == _ENGLISH), None)
    if english is None:
        raise InputError(f"{_ENGLISH} is missing; fetch the whole folder NTREX-128", files[0].parent)
    for file in files:
        if named := _FILE.fullmatch(file.name):
            for text, same in read_parallel_lines(file, english):
                yield Translation(short_code(named[1]), clean(text), clean(same), SOURCE)
