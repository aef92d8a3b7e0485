"""Which queries ask one question, in several languages."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray


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
