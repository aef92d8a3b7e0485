"""Tatoeba: sentences with English translations, by volunteers.

Three layouts, the first two with the language's code as the file's name: ``spa.txt`` of manythings.org
(English, translation, attribution); ``spa.tsv`` with tatoeba.org's pairs of an English sentence (id, English,
id, translation); and the hub's ``en-es/train….parquet``, whose rows have ``english`` and ``non_english``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from qgdr_pyserini.collection.tables import read_table
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
from qgdr_pyserini.errors import InputError
from qgdr_pyserini.files import read_lines

SOURCE = "tatoeba"

_CODE = re.compile(r"([a-z]{2,3})\.(?:txt|tsv)(?:\.gz)?")
_PAIR = re.compile(r"en-([a-z]{2,3})")


@register(
    SOURCE,
    files=("*.txt", "*.tsv", "*.tsv.gz", "*train*.parquet", "train/*.parquet"),
    origin="https://www.manythings.org/anki/ or https://tatoeba.org/downloads",
    pairs=SENTENCES,
    hub=(OnHub("sentence-transformers/parallel-sentences-tatoeba", ("en-*/train*",)),),
)
def read_tatoeba(files: Sequence[Path]) -> Iterator[Row]:
    """Read Tatoeba; ``_about.txt`` and the like, whose name is no code, are passed over.

    Raises
    ------
    InputError
        If a line has other columns, or a table's folder does not say the language.
    """
    for file in files:
        if file.suffix == ".parquet":
            yield from _read_table(file)
        elif named := _CODE.fullmatch(file.name):
            for number, line in read_lines(file):
                if line:
                    columns = split_columns(line, [2, 3, 4], file, number)
                    english, text = columns[1::2] if len(columns) == 4 else columns[:2]
                    yield Translation(short_code(named[1]), clean(text), clean(english), SOURCE)


def _read_table(file: Path) -> Iterator[Row]:
    named = next(filter(None, (_PAIR.fullmatch(name) for name in file.parts[-3:-1])), None)
    if named is None:
        raise InputError("its folder is not called en-LANGUAGE, as on the hub; call it so", file)
    for number, row in read_table(file):
        if not all(isinstance(row.get(key), str) for key in ("english", "non_english")):
            raise InputError("needs 'english' and 'non_english' as text", file, number)
        yield Translation(short_code(named[1]), clean(row["non_english"]), clean(row["english"]), SOURCE)
