"""Which languages the passages of a corpus are in: as it says, else recognised."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Iterable

from qgdr_pyserini.collection.corpus import Passage, read_corpus
from qgdr_pyserini.dictionary.language_id import identify_language
from qgdr_pyserini.errors import InputError
from qgdr_pyserini.files import read_lines

BEGINNING = 300
"""Characters by which a passage's language is recognised; more of them take time and change nothing."""

SAMPLE = 200
"""Passages by which the language of a corpus is recognised that does not say it."""

_TABLES = (".tsv", ".tsv.gz")


def passage_language(passage: Passage) -> str:
    """Tell a passage's language: what its corpus says, else what its text looks like.

    Examples
    --------
    >>> passage_language(Passage("1", "", "Die Donau entspringt im Schwarzwald."))
    'de'
    >>> passage_language(Passage("2", "", "Danube", "hu"))
    'hu'
    """
    return passage.language or identify_language(passage.text[:BEGINNING] or passage.title)


def count_languages(passages: Iterable[Passage]) -> Counter[str]:
    """Count passages by language; where the first ones do not say theirs, `SAMPLE` of them are recognised.

    Parameters
    ----------
    passages
        A corpus; read to its end only if it says its languages.

    Examples
    --------
    >>> count_languages([Passage("1", "", "x", "de"), Passage("2", "", "y", "zh")])
    Counter({'de': 1, 'zh': 1})
    """
    rest = iter(passages)
    first = list(itertools.islice(rest, SAMPLE))
    if any(not passage.language for passage in first):
        return Counter(map(passage_language, first))
    return Counter(map(passage_language, itertools.chain(first, rest)))


def read_passage_languages(path: str | os.PathLike[str]) -> dict[str, str]:
    r"""Read the language of every passage, by docid.

    Parameters
    ----------
    path
        A corpus, as `read_corpus` takes it; or a file whose name ends in ``.tsv`` or ``.tsv.gz``, of lines
        ``docid<TAB>language``.

    Raises
    ------
    InputError
        If it cannot be read, holds no passage, or a line is malformed or repeats a docid.
    """
    if os.fspath(path).endswith(_TABLES):
        found = _read_table(path)
    else:
        found = {passage.docid: passage_language(passage) for passage in read_corpus(path)}
    if not found:
        raise InputError("holds no passages; give the corpus that was searched", path)
    return found


def _read_table(path: str | os.PathLike[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, line in read_lines(path):
        docid, _, language = line.partition("\t")
        if docid.split() != [docid] or language.split() != [language]:
            raise InputError("needs docid<TAB>language", path, number)
        if docid in found:
            raise InputError(f"duplicate docid {docid!r}; docids must differ", path, number)
        found[docid] = language
    return found
