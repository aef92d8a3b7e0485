r"""Topics: the questions of one language, ``qid<TAB>question`` a line."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from qgdr_pyserini.errors import InputError, QgdrError
from qgdr_pyserini.files import atomic_text, read_lines

_NAME = re.compile(r"topics\.([A-Za-z]{2,3}(?:-[A-Za-z0-9]+)*)\.tsv(?:\.gz)?")


def read_topics(path: str | os.PathLike[str]) -> dict[str, str]:
    r"""Read a topics file.

    Parameters
    ----------
    path
        Tab-separated, ``qid<TAB>question`` a line, gzipped or not.

    Returns
    -------
    dict of str to str
        Question by qid, in the file's order.

    Raises
    ------
    InputError
        If there is no topic, or a line is not one qid and one question, or a qid is used twice, holds
        whitespace or is all digits.
    """
    topics: dict[str, str] = {}
    lines: dict[str, int] = {}
    for number, line in read_lines(path):
        qid, tab, question = line.partition("\t")
        problem = _problem(qid, question) if tab else "no tab; needs qid<TAB>question"
        if qid in lines:
            problem = problem or f"duplicate qid {qid!r}, first on line {lines[qid]}; qids must differ"
        if problem:
            raise InputError(problem, path, number)
        topics[qid], lines[qid] = question.strip(), number
    if not topics:
        raise InputError("holds no topics; needs lines of qid<TAB>question", path)
    return topics


def write_topics(path: str | os.PathLike[str], topics: Mapping[str, str]) -> int:
    """Write a topics file, which appears only when complete.

    Parameters
    ----------
    path
        Where to; a name ending in ``.gz`` is compressed.
    topics
        Question by qid.

    Returns
    -------
    int
        Number of topics.

    Raises
    ------
    QgdrError
        If a qid or question is one that `read_topics` would refuse.
    """
    for qid, question in topics.items():
        if problem := _problem(qid, question):
            raise QgdrError(f"topic {qid!r}: {problem}")
    with atomic_text(path) as file:
        file.writelines(f"{qid}\t{question.strip()}\n" for qid, question in topics.items())
    return len(topics)


def topics_language(path: str | os.PathLike[str]) -> str | None:
    """Tell a topics file's language from its name.

    Examples
    --------
    >>> topics_language("collections/xquad/topics.de.tsv")
    'de'
    >>> topics_language("topics.zh-Hant.tsv.gz")
    'zh-Hant'
    >>> topics_language("questions.tsv") is None
    True
    """
    match = _NAME.fullmatch(Path(path).name)
    return match.group(1) if match else None


def _problem(qid: str, question: str) -> str | None:
    """Say what is wrong with a topic, if anything is."""
    if not qid:
        return "empty qid; give every question one"
    if qid.split() != [qid]:
        return f"qid {qid!r} holds whitespace, which TREC files cannot; replace it"
    if qid.isdecimal():
        return f"qid {qid!r} is all digits, and Pyserini turns 007 into 7; begin it with a letter"
    if not question.strip():
        return f"empty question for qid {qid!r}; fill it in or drop the line"
    if any(sign in question.strip() for sign in "\t\n\r"):
        return f"the question of {qid!r} holds a tab or line break, where Pyserini would cut it; use a space"
    return None
