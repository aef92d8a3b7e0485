"""Words and phrases with their English, from Wiktionary.

Wiktionary is published as dumps that every extractor writes in a format of its own; what is read here is the
least of them: ``LANGUAGE.tsv``, a word and its English a line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from qgdr_pyserini.collection.training_set import Translation
from qgdr_pyserini.collection.training_sources.base import LEXICON, Row, clean, register, split_columns
from qgdr_pyserini.collection.training_sources.languages import short_code
from qgdr_pyserini.files import read_lines

SOURCE = "wiktionary"

_CODE = re.compile(r"([a-z]{2,3})\.tsv(?:\.gz)?")


@register(
    SOURCE,
    files=("*.tsv", "*.tsv.gz"),
    origin="https://kaikki.org or https://github.com/open-dsl-dict/wiktionary-dict, "
    "as a word and its English a line",
    pairs=LEXICON,
)
def read_wiktionary(files: Sequence[Path]) -> Iterator[Row]:
    """Read words with their English.

    Raises
    ------
    InputError
        If a line has not two columns.
    """
    for file in files:
        if named := _CODE.fullmatch(file.name):
            for number, line in read_lines(file):
                if line:
                    word, english = split_columns(line, [2], file, number)
                    yield Translation(short_code(named[1]), clean(word), clean(english), SOURCE)
