"""AfriQA: questions in eight African languages, with their English and English passages.

Ogundepo et al. (2023). Layout, of the repository's ``data/``:
``gold_passages/LANG/gold_span_passages.afriqa.LANG.en.SPLIT.json`` and
``queries/LANG/queries.afriqa.LANG.en.SPLIT.json``, in spite of their names JSON Lines. What is asked in
French (fon, wol) and the test questions are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from qgdr_pyserini.collection.jsonl import read_objects
from qgdr_pyserini.collection.training_set import TrainingPassage, TrainingQuery, Translation
from qgdr_pyserini.collection.training_sources.base import QUESTIONS, Row, clean, register
from qgdr_pyserini.collection.training_sources.languages import short_code
from qgdr_pyserini.errors import InputError

SOURCE = "afriqa"

_FILE = re.compile(
    r"(?P<kind>queries|gold_span_passages)\.afriqa\.(?P<lang>\w+)\.en\.(?P<split>train|dev)\.json"
)


@register(
    SOURCE,
    files=("*.afriqa.*.en.train.json", "*.afriqa.*.en.dev.json"),
    origin="https://github.com/masakhane-io/afriqa/tree/main/data",
    pairs=QUESTIONS,
)
def read_afriqa(files: Sequence[Path]) -> Iterator[Row]:
    """Read AfriQA; a passage is ``afriqa-N`` in the files' order, a question ``afriqa-SPLIT-LANG-ID``.

    Its English has the same id with ``-en`` behind it.

    Raises
    ------
    InputError
        If a row lacks a field.
    """
    docids: dict[str, str] = {}
    for file in files:
        if named := _FILE.fullmatch(file.name):
            lang = short_code(named["lang"])
            prefix = f"{SOURCE}-{named['split']}-{named['lang']}"
            for line, row in read_objects(file):
                if named["kind"] == "queries":
                    question, english = _texts(row, ("question", "translated_question"), file, line)
                else:
                    question, english = _texts(row, ("question_lang", "question_translated"), file, line)
                    yield from _gold(
                        row, f"{prefix}-{row.get('id')}", lang, question, english, docids, file, line
                    )
                yield Translation(lang, question, english, SOURCE)


def _gold(
    row: dict[str, Any],
    name: str,
    lang: str,
    question: str,
    english: str,
    docids: dict[str, str],
    file: Path,
    line: int,
) -> Iterator[Row]:
    title, text = _texts(row, ("title", "context"), file, line)
    if text not in docids:
        docids[text] = f"{SOURCE}-{len(docids)}"
        yield TrainingPassage(docids[text], title, text, SOURCE)
    answers = _answers(row, file, line)
    yield TrainingQuery(name, lang, question, docids[text], SOURCE, answers)
    yield TrainingQuery(f"{name}-en", "en", english, docids[text], SOURCE, answers)


def _texts(row: dict[str, Any], keys: tuple[str, str], file: Path, line: int) -> tuple[str, str]:
    for key in keys:
        if not isinstance(row.get(key), str):
            raise InputError(f"needs {key!r} as text; fetch it again", file, line)
    return clean(row[keys[0]]), clean(row[keys[1]])


def _answers(row: dict[str, Any], file: Path, line: int) -> tuple[str, ...]:
    answer = row.get("answer_pivot")
    texts = answer.get("text") if isinstance(answer, dict) else None
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise InputError("needs 'answer_pivot' with 'text', a list; fetch it again", file, line)
    return tuple(dict.fromkeys(filter(None, map(clean, texts))))
