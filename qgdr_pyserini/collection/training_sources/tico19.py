"""TICO-19: texts about COVID-19, translated from English into 38 languages by people.

Anastasopoulos et al. (2020). Layout: ``dev.en-LANG.tsv`` and ``test.en-LANG.tsv``, whose columns are the two
languages, the two texts, an id, an address, the licence and the translator.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from qgdr_pyserini.collection.training_set import Translation
from qgdr_pyserini.collection.training_sources.base import (
    SENTENCES,
    OnHub,
    Row,
    clean,
    register,
    split_columns,
)
from qgdr_pyserini.collection.training_sources.languages import short_code
from qgdr_pyserini.files import read_lines

SOURCE = "tico-19"


@register(
    SOURCE,
    files=("*.en-*.tsv",),
    origin="https://tico-19.github.io",
    pairs=SENTENCES,
    hub=(OnHub("gmnlp/tico19", ("dev/*.tsv", "test/*.tsv")),),
)
def read_tico(files: Sequence[Path]) -> Iterator[Row]:
    """Read TICO-19.

    Raises
    ------
    InputError
        If a line has not eight columns.
    """
    for file in files:
        for number, line in read_lines(file):
            if not line or line.startswith("sourceLang\t"):
                continue
            _, lang, english, text, *_ = split_columns(line, [8], file, number)
            yield Translation(short_code(lang), clean(text), clean(english), SOURCE)
