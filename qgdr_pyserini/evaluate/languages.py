"""Which language a query is in, the groups of queries that a report has rows for, and parallel questions."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from qgdr_pyserini.collection.topics import read_topics, topics_language
from qgdr_pyserini.errors import InputError, QgdrError

UNKNOWN = "other"
"""The group of queries without a language, where others have one."""

EVERYTHING = "all"
"""The one group there is where no query has a language."""

# ISO 639-1, with or without a region. Any two letters would take the "dl" of trec-dl-19335 for a language.
_LANGUAGE = re.compile(
    r"(a[abefkmnrsvyz]|b[aeghimnors]|c[aehorsuvy]|d[aevz]|e[elnostu]|f[afijory]|g[adlnuv]|h[aeiortuyz]|"
    r"i[adegikostu]|j[av]|k[agijklmnorsuvwy]|l[abginotuv]|m[ghiklnrsty]|n[abdeglnorvy]|o[cjmrs]|"
    r"p[ailst]|qu|r[mnouw]|s[acdegiklmnoqrstuvw]|t[aeghiklnorstwy]|u[gkrz]|v[eio]|w[ao]|xh|y[io]|"
    r"z[ahu])(_[A-Za-z]{2,4})?"
)


def language_of(qid: str) -> str | None:
    """Tell a query's language from an id of the form ``COLLECTION-LANG-REST``.

    The language is the first part behind the collection that is an ISO 639-1 code, with or without a region.

    Examples
    --------
    >>> language_of("xquad-de-56beb4343aeaaa14008c925b"), language_of("mkqa-zh_cn-7")
    ('de', 'zh_cn')
    >>> language_of("trec-dl-19335") is None
    True
    """
    parts = qid.split("-")[1:-1]
    return next((part for part in parts if _LANGUAGE.fullmatch(part)), None)


def read_languages(topics: Iterable[str | os.PathLike[str]]) -> dict[str, str]:
    """Learn every query's language from the topics files it is in.

    Parameters
    ----------
    topics
        Files called ``topics.LANG.tsv``.

    Returns
    -------
    dict of str to str
        Language by qid.

    Raises
    ------
    InputError
        If a file's name has no language, the file is malformed, or a query is in files of two languages.
    """
    languages: dict[str, str] = {}
    for path in topics:
        language = topics_language(path)
        if language is None:
            raise InputError("its name tells no language; call it topics.LANG.tsv", path)
        for qid in read_topics(path):
            if languages.setdefault(qid, language) != language:
                raise InputError(
                    f"query {qid!r} is in the topics of {languages[qid]!r} too; qids must differ", path
                )
    return languages


def group_queries(
    qids: Sequence[str], languages: Mapping[str, str], only: Sequence[str] = ()
) -> dict[str, list[str]]:
    """Sort queries into groups, one for each language.

    Parameters
    ----------
    qids
        The queries.
    languages
        Languages known for sure, by qid; for the others the id decides.
    only
        Keep these groups alone.

    Returns
    -------
    dict of str to list of str
        Queries by group: languages in alphabetical order, then `UNKNOWN`, or `EVERYTHING` alone.

    Raises
    ------
    QgdrError
        If ``only`` names a group without queries.

    Examples
    --------
    >>> group_queries(["q1", "xquad-es-1", "xquad-de-1"], {})
    {'de': ['xquad-de-1'], 'es': ['xquad-es-1'], 'other': ['q1']}
    >>> group_queries(["q1", "q2"], {})
    {'all': ['q1', 'q2']}
    """
    groups: dict[str, list[str]] = {}
    for qid in qids:
        groups.setdefault(languages.get(qid) or language_of(qid) or UNKNOWN, []).append(qid)
    if list(groups) == [UNKNOWN]:
        groups = {EVERYTHING: groups[UNKNOWN]}
    refuse_absent(only, groups, "--language")
    kept = only or groups
    return {name: groups[name] for name in sorted(kept, key=lambda name: (name == UNKNOWN, name))}


def language_by_query(groups: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Tell each query's group, group by group.

    Examples
    --------
    >>> language_by_query({"de": ["a", "b"], "es": ["c"]})
    {'a': 'de', 'b': 'de', 'c': 'es'}
    """
    return {qid: language for language, group in groups.items() for qid in group}


def refuse_absent(languages: Iterable[str], groups: Collection[str], option: str) -> None:
    """Raise `QgdrError` where a language that an option names has no queries."""
    if missing := [name for name in languages if name not in groups]:
        raise QgdrError(
            f"{option} {missing[0]}: no judged query is in it; there are {', '.join(sorted(groups))}"
        )


def question_numbers(languages: Mapping[str, str]) -> NDArray[np.intp]:
    """Give each query the number of the question it asks; translations ask the same one.

    Queries are translations of each other if their ids are equal but for a part that is the language, as in
    parallel collections: ``xquad-de-17`` and ``xquad-es-17``. How well a system answers one tells much about
    the others, so that thousands of queries may be no more evidence than hundreds of questions. Where
    collections of independent queries count alike in each language, no harm is done: a test that takes
    independent queries together is still valid.

    Parameters
    ----------
    languages
        Language by id.

    Returns
    -------
    array
        A number for each query, shape (queries,); questions are numbered as they appear.

    Examples
    --------
    >>> question_numbers({"xquad-de-1": "de", "xquad-de-2": "de", "xquad-es-2": "es", "q7": "es"}).tolist()
    [0, 1, 1, 2]
    """
    numbers: dict[tuple[str | None, ...], int] = {}
    keys = (_without(language, qid) for qid, language in languages.items())
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.intp)


def by_question(
    values: NDArray[np.float64], questions: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Add up what belongs to one question.

    Parameters
    ----------
    values
        By query, shape (queries, columns).
    questions
        From `question_numbers`, shape (queries,), or of some of its queries.

    Returns
    -------
    tuple of array and array
        Sums, shape (questions, columns), by number, and of how many queries each is.
    """
    _, places, sizes = np.unique(questions, return_inverse=True, return_counts=True)
    sums = np.zeros((len(sizes), values.shape[1]))
    np.add.at(sums, places, values)
    return sums, sizes


def _without(language: str, qid: str) -> tuple[str | None, ...]:
    """Blank the parts of an id that are the language, with or without a region."""
    return tuple(None if language in (part, part.partition("_")[0]) else part for part in qid.split("-"))
