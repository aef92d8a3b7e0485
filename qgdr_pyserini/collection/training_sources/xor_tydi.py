"""XOR-TyDi: questions in seven languages, with English passages, and their translations into English.

Asai et al. (2021). Two layouts: Tevatron's ``train.jsonl.gz`` with ``positive_passages``
(``Tevatron/xor-tydi`` on the hub), and the project's translations of training questions, one archive a
language: ``ar-en.zip`` unpacked into ``ar-en/`` holds a file in each language, a question a line. Questions
of the dev and test sets are not read: they are what encoders are measured on.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from qgdr_pyserini.collection.training_set import Translation
from qgdr_pyserini.collection.training_sources.base import QUESTIONS, OnHub, Row, clean, register
from qgdr_pyserini.collection.training_sources.parallel_lines import read_parallel_lines
from qgdr_pyserini.collection.training_sources.tevatron import read_positives
from qgdr_pyserini.collection.tydi_language import tydi_language
from qgdr_pyserini.errors import InputError

SOURCE = "xor-tydi"

_PAIR = re.compile(r"([a-z]{2})-en")


@register(
    SOURCE,
    files=("*train*.jsonl", "*train*.jsonl.gz", "??-en/*"),
    origin="https://github.com/AkariAsai/XORQA#question-translation-data",
    pairs=QUESTIONS,
    hub=(OnHub("Tevatron/xor-tydi", ("*eng_span*train*", "*train*eng_span*")),),
)
def read_xor_tydi(files: Sequence[Path]) -> Iterator[Row]:
    """Read XOR-TyDi.

    Raises
    ------
    InputError
        If a row is not in Tevatron's layout, or the two files of a language are not parallel.
    """
    pairs: dict[Path, list[Path]] = defaultdict(list)
    for file in files:
        if _PAIR.fullmatch(file.parent.name):
            pairs[file.parent].append(file)
        else:
            yield from read_positives(file, SOURCE, tydi_language)
    for folder, both in pairs.items():
        lang = folder.name.removesuffix("-en")
        texts, english = _by_language(folder, both, lang)
        for text, same in read_parallel_lines(texts, english):
            yield Translation(lang, clean(text), clean(same), SOURCE)


def _by_language(folder: Path, files: Sequence[Path], lang: str) -> tuple[Path, Path]:
    """Tell a language's file from the English one by the last code in their names."""
    found: dict[str, list[Path]] = {lang: [], "en": []}
    for file in files:
        codes = [word for word in re.split(r"[^a-z]+", file.name.lower()) if word in found]
        if codes:
            found[codes[-1]].append(file)
    if any(len(named) != 1 for named in found.values()):
        raise InputError(
            f"needs two files, whose names end in {lang} and en (before .txt); fetch {folder.name}.zip again",
            folder,
        )
    return found[lang][0], found["en"][0]
