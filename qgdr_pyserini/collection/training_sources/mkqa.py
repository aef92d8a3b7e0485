"""MKQA: questions of Natural Questions in 26 languages, with their English.

Longpre, Lu and Daiber (2021). Layout: ``mkqa.jsonl.gz``, whose rows have ``example_id``, ``query`` in
English and ``queries`` by language. Where ``natural-questions`` has the paragraph of one, its translations
are queries about it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from qgdr_pyserini.collection.tables import read_rows
from qgdr_pyserini.collection.training_set import TrainingQuery, Translation
from qgdr_pyserini.collection.training_sources.base import (
    QUESTIONS,
    OnHub,
    Parallel,
    Row,
    clean,
    register,
)
from qgdr_pyserini.collection.training_sources.languages import short_code
from qgdr_pyserini.errors import InputError

SOURCE = "mkqa"

# Of three translations into Chinese, all with the code zh here, only zh_cn is taken.
_OTHER_CHINESE = ("zh_hk", "zh_tw")


@register(
    SOURCE,
    files=("*mkqa*.jsonl", "*mkqa*.jsonl.gz", "*.parquet"),
    origin="https://github.com/apple/ml-mkqa/tree/main/dataset",
    pairs=QUESTIONS,
    hub=(OnHub("apple/mkqa", ("*.jsonl*", "*.parquet")),),
)
def read_mkqa(files: Sequence[Path]) -> Iterator[Row]:
    """Read MKQA.

    Raises
    ------
    InputError
        If a row lacks ``example_id``, ``query`` or ``queries``.
    """
    for file in files:
        for line, row in read_rows(file):
            english, queries = row.get("query"), row.get("queries")
            if "example_id" not in row or not isinstance(english, str) or not isinstance(queries, dict):
                raise InputError("needs 'example_id', 'query' and 'queries' by language", file, line)
            yield from _rows(f"nq-{row['example_id']}", clean(english), queries)


def _rows(name: str, english: str, queries: Mapping[str, Any]) -> Iterator[Row]:
    for code, text in queries.items():
        if code == "en" or code in _OTHER_CHINESE or not isinstance(text, str):
            continue
        lang, question = short_code(code), clean(text)
        yield Translation(lang, question, english, SOURCE)
        yield Parallel(TrainingQuery(f"{name}-{code}", lang, question, "", SOURCE), name)
