"""MKQA: 10,000 questions of Natural Questions in 26 languages, with answers.

Longpre, Lu and Daiber (2021). Retrieval searches English Wikipedia for the English answers, so questions
without one that a passage can hold (unanswerable, long, yes or no) are left out, as others who retrieve do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from qgdr_pyserini.collection.collection import Collection, refuse_output, write_collection
from qgdr_pyserini.collection.hub import Fetch, fetch_files, find_files
from qgdr_pyserini.collection.loaders.base import HUB, BuildRequest, Question, gather, register
from qgdr_pyserini.collection.loaders.xor_tydi import find_passages
from qgdr_pyserini.collection.tables import read_rows
from qgdr_pyserini.errors import InputError

SOURCE = "MKQA (https://github.com/apple/ml-mkqa)"
LICENCE = "CC BY-SA 3.0"
ORIGIN = "fetch it from https://github.com/apple/ml-mkqa, or pass --source hub"
HUB_NAME = "apple/mkqa"

UNFINDABLE = frozenset(("unanswerable", "long_answer", "binary"))

# The hub's copies in Parquet number the types.
_TYPES = (
    "entity",
    "long_answer",
    "unanswerable",
    "date",
    "number",
    "number_with_unit",
    "short_phrase",
    "binary",
)


@register(
    "mkqa",
    "questions in 26 languages with English answers; DIR holds mkqa.jsonl.gz; passages by --corpus",
    options=("corpus", "languages"),
)
def build_mkqa(request: BuildRequest, fetch: Fetch = fetch_files) -> Collection:
    """Build MKQA.

    Parameters
    ----------
    request
        ``source`` has ``mkqa.jsonl.gz``; ``corpus`` the passages to search: a corpus, ``hub`` for XOR-TyDi's
        English Wikipedia, or None for a collection without any.
    fetch
        What fetches files from the hub.

    Raises
    ------
    QgdrError
        If a file is missing or malformed, or something stands at ``output`` that may not be replaced.
    """
    source = request.needed_source("mkqa", "mkqa.jsonl.gz")
    refuse_output(request.output, overwrite=request.overwrite)
    if source == HUB:
        source = fetch(HUB_NAME, ["*.jsonl*", "*.parquet"])
    files = find_files(Path(source), ["*mkqa.jsonl*", "*.parquet"], ORIGIN)
    questions = [row for file in files for row in _read(file) if request.wants(row.lang)]
    contents = gather("mkqa", SOURCE, LICENCE, questions, find_passages(request, fetch))
    return write_collection(request.output, contents, overwrite=request.overwrite)


def topic_language(code: str) -> str:
    """Spell MKQA's language codes as topics files do.

    Examples
    --------
    >>> topic_language("zh_cn"), topic_language("no")
    ('zh-cn', 'no')
    """
    return code.replace("_", "-")


def _read(file: Path) -> Iterator[Question]:
    for line, row in read_rows(file):
        try:
            yield from _questions(row)
        except (AttributeError, KeyError, IndexError, TypeError) as error:
            raise InputError(
                f"not in MKQA's format ({type(error).__name__}: {error}); {ORIGIN}", file, line
            ) from None


def _questions(row: Mapping[str, Any]) -> Iterator[Question]:
    english = [answer for answer in row["answers"]["en"] if _type(answer) not in UNFINDABLE]
    strings = [text for answer in english for text in (answer["text"], *(answer.get("aliases") or ()))]
    answers = tuple(dict.fromkeys(filter(None, strings)))
    if not answers:
        return
    for code, text in row["queries"].items():
        if text:
            qid, lang = f"mkqa-{code}-{row['example_id']}", topic_language(code)
            yield Question(qid, lang, " ".join(text.split()), answers=answers)


def _type(answer: Mapping[str, Any]) -> str:
    kind = answer["type"]
    return _TYPES[kind] if isinstance(kind, int) else kind
