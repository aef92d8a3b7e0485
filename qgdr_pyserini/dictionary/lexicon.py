"""Reading bilingual word lists."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator

import regex

from qgdr_pyserini.dictionary.words import tokenize
from qgdr_pyserini.errors import InputError
from qgdr_pyserini.files import read_lines

MAX_WORDS = 4
"""Longest phrase that is looked up; longer entries are sayings and glosses."""

_REMARK = regex.compile(r"\([^)]*\)|\[[^\]]*\]|/[^/]*/|[()/\[\]].*$")

Entries = dict[str, tuple[str, ...]]
"""Translations by phrase, its words (see `tokenize`) joined by spaces."""


def read_lexicon(path: str | os.PathLike[str], languages: Collection[str]) -> dict[str, Entries]:
    """Read the entries of some languages.

    Parameters
    ----------
    path
        Tab-separated, gzipped or not: language, word or phrase, translation; more columns are passed over.
    languages
        Which to keep.

    Returns
    -------
    dict of str to Entries
        By language; remarks in brackets and pronunciations between slashes are left out.

    Raises
    ------
    InputError
        If the file cannot be read, holds nothing, or a line has fewer than three columns.
    """
    found: dict[str, dict[str, dict[str, None]]] = {language: {} for language in languages}
    for lang, phrase, english in _rows(path):
        if lang in found:
            words, meaning = tokenize(phrase), " ".join(_REMARK.sub(" ", english).split())
            if meaning and 0 < len(words) <= MAX_WORDS:
                found[lang].setdefault(" ".join(words), {})[meaning] = None
    return {lang: {key: tuple(value) for key, value in entries.items()} for lang, entries in found.items()}


def _rows(path: str | os.PathLike[str]) -> Iterator[list[str]]:
    number = 0
    for number, line in read_lines(path):
        columns = line.split("\t")
        if len(columns) < 3:
            raise InputError(
                f"has {len(columns)} of 3 columns; needs language<TAB>word<TAB>translation", path, number
            )
        yield columns[:3]
    if not number:
        raise InputError("holds no entries; needs lines of language<TAB>word<TAB>translation", path)
