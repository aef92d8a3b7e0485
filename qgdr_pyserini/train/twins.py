"""Questions that are the same in several languages."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from qgdr_pyserini.collection.tevatron import CandidateList
from qgdr_pyserini.errors import InputError
from qgdr_pyserini.files import read_lines
from qgdr_pyserini.model.teacher import Query
from qgdr_pyserini.train.data import TrainingData
from qgdr_pyserini.train.selection import question_name

ENGLISH = "en"


class Translated(NamedTuple):
    """A question and the same in English."""

    lang: str
    text: str
    english: str


class Asked(NamedTuple):
    """A question about a passage; ``name`` is what the ids of its translations have in common."""

    name: str
    docid: str
    lang: str
    text: str


class Twins:
    """Finds a question's twins: by the id that parallel questions share, then by translations of its text.

    Parameters
    ----------
    asked
        Questions that may be parallel: those of one name about one passage are.
    translated
        Translations; the first that is given of a question counts.

    Examples
    --------
    >>> asked = [Asked("q1", "p1", "en", "How long is it?"), Asked("q1", "p1", "de", "Wie lang ist sie?")]
    >>> twins = Twins(asked, [Translated("fi", "Kuinka pitkä se on?", "How long is it?")])
    >>> twins.english(CandidateList("x", "Kuinka pitkä se on?", (), lang="fi"))
    'How long is it?'
    >>> twins.all_of(CandidateList("x", "How long is it?", (), lang="en"))
    {'fi': 'Kuinka pitkä se on?'}
    """

    def __init__(self, asked: Iterable[Asked], translated: Iterable[Translated]) -> None:
        self._parallel: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
        self._english: dict[tuple[str, str], str] = {}
        self._foreign: dict[str, dict[str, str]] = defaultdict(dict)
        for name, docid, lang, text in asked:
            self._parallel[name, docid].setdefault(lang, text)
        for lang, text, english in translated:
            self._english.setdefault((lang, text), english)
            self._foreign[english].setdefault(lang, text)
        # A twin that stands alone, as an aligned one does, has no id of its own to be found by.
        for texts in self._parallel.values():
            for lang, text in texts.items() if ENGLISH in texts else ():
                self._english.setdefault((lang, text), texts[ENGLISH])

    def english(self, row: CandidateList) -> str | None:
        """Give a question in English; None where it is in English, or where no twin is known."""
        if row.lang == ENGLISH:
            return None
        return self._by_id(row).get(ENGLISH) or self._english.get((row.lang, row.query))

    def all_of(self, row: CandidateList) -> dict[str, str]:
        """Give a question in every other language that it is known in."""
        english = row.query if row.lang == ENGLISH else self.english(row)
        known = {ENGLISH: english} if english else {}
        found = {**self._foreign.get(english or "", {}), **known, **self._by_id(row)}
        return {lang: text for lang, text in sorted(found.items()) if lang != row.lang}

    def in_english(self, rows: Iterable[CandidateList]) -> dict[str, int]:
        """Count, by language, the questions that have an English twin."""
        return dict(sorted(Counter(row.lang for row in rows if self.english(row)).items()))

    def _by_id(self, row: CandidateList) -> Mapping[str, str]:
        if not row.positives:
            return {}
        return self._parallel.get((question_name(row.query_id, row.lang), row.positives[0].passage.docid), {})


def reading_english(
    twins: Twins, otherwise: Callable[[CandidateList], Query]
) -> Callable[[CandidateList], Query]:
    """Let a teacher read English twins (Translate-Distill, Yang et al. 2024), which it often judges best.

    Parameters
    ----------
    twins
        Those that are known.
    otherwise
        What is read of a question without one.
    """

    def ask(row: CandidateList) -> Query:
        english = twins.english(row)
        return Query(english, ENGLISH) if english else otherwise(row)

    return ask


def find_twins(data: TrainingData, files: Iterable[str | os.PathLike[str]] = ()) -> Twins:
    """Collect the twins that a run's data has, whatever part of its queries is learned from.

    Parameters
    ----------
    data
        Parallel questions have ids that differ in the language at the end alone (``…-en``, ``…-da``; an
        English one may have none); translations come from a training set's translated questions.
    files
        Further translations; see `read_translations`.

    Raises
    ------
    InputError
        If a line of a file has other columns.
    """
    translated = [Translated(*row[:3]) for row in data.pairs.questions] if data.pairs else []
    return Twins(_asked(data), [*translated, *(row for file in files for row in read_translations(file))])


def twins_come_from(data: TrainingData) -> str:
    """Digest what `find_twins` reads of a run's data."""
    return data.files if data.pairs else f"{data.rows.fingerprint} {data.held_out.fingerprint}"


def _asked(data: TrainingData) -> Iterator[Asked]:
    for query in data.pairs.queries if data.pairs else ():
        yield Asked(question_name(query.query_id, query.lang), query.docid, query.lang, query.query)
    # A training set's queries are all among its pairs, but those held out.
    for row in [*([] if data.pairs else data.rows), *data.held_out]:
        for item in row.positives[:1]:
            yield Asked(question_name(row.query_id, row.lang), item.passage.docid, row.lang, row.query)


def read_translations(path: str | os.PathLike[str]) -> Iterator[Translated]:
    """Read ``lang<TAB>question<TAB>English``, a line each; `InputError` where a line is something else."""
    for number, line in read_lines(path):
        columns = line.split("\t")
        if len(columns) != 3 or not all(columns):
            raise InputError("needs language, question and English, separated by tabs", path, number)
        yield Translated(*columns)
