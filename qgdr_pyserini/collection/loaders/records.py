"""From a set's own records to passages, topics and judgements: ids, judged queries, fields of text.

Shared by the loaders of TREC's formats and of `ir_datasets`.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote

from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.collection.trec import Judgement, Qrels
from qgdr_pyserini.errors import QgdrError

_BLANK = re.compile(r"\s")

TITLES = ("title", "headline", "page_title", "document_title")
"""Fields that are a document's title, where one is asked for by name."""

_TRANSLATED = ("ht_", "mt_")

_BY_MACHINE = re.compile(r"([a-z]{2})_mt_.*")

# What ends in "_id" is an id, not Indonesian.
_IN_LANGUAGE = re.compile(r".*_(?!id)([a-z]{2})[0-9]?")


class TrecIds:
    """Rewrites the ids of one set, one to one.

    A blank becomes ``%20``, and so on; all other ids stay as they are.

    Parameters
    ----------
    what
        What the ids are of, for errors.

    Examples
    --------
    >>> ids = TrecIds("document")
    >>> ids("LA010189-0001"), ids("New York"), ids.rewritten
    ('LA010189-0001', 'New%20York', 1)
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._names: set[str] = set()
        self._originals: dict[str, str] = {}

    def __call__(self, original: str) -> str:
        """Give the name of an id, always the same.

        Raises
        ------
        QgdrError
            If the id is empty, or another one has the name.
        """
        if not original or original.isspace():
            raise QgdrError(f"a {self._what} has no id; give every one an id")
        name = _BLANK.sub(lambda blank: quote(blank[0]), original)
        if name in self._names and self._originals.get(name, name) != original:
            raise QgdrError(
                f"the {self._what} ids {original!r} and {self._originals.get(name, name)!r} would both be "
                f"{name!r}, since TREC files cannot hold blanks; rename one"
            )
        self._names.add(name)
        if name != original:
            self._originals[name] = original
        return name

    def __len__(self) -> int:
        """How many ids there are."""
        return len(self._names)

    @property
    def rewritten(self) -> int:
        """How many ids got another name."""
        return len(self._originals)


class PassageIds:
    """The names of a corpus's passages, and which of them were read already.

    Judgements are read before the passages; one set of names serves both.
    """

    def __init__(self) -> None:
        self._ids = TrecIds("document")
        self._awaited: set[str] = set()
        self.repeated = 0
        """Passages whose id an earlier one has."""

    def of_judgement(self, original: str) -> str:
        """Give the name of a judged passage."""
        name = self._ids(original)
        self._awaited.add(name)
        return name

    def of_passage(self, original: str) -> str | None:
        """Give the name of a passage; None if an earlier one has the same id."""
        known = len(self._ids)
        name = self._ids(original)
        if name in self._awaited:
            self._awaited.remove(name)
        elif len(self._ids) == known:
            self.repeated += 1
            return None
        return name

    def remarks(self) -> list[str]:
        """Say what was left out, and what is called otherwise."""
        said = []
        if self.repeated:
            said.append(f"{self.repeated:,} documents have the id of an earlier one; left out.")
        if blanks := self._ids.rewritten:
            said.append(f"{blanks:,} document ids hold blanks, which TREC files cannot; written as %20.")
        return said


@dataclasses.dataclass
class JudgedQueries:
    """Queries that have judgements, with ids that differ over languages.

    Parameters
    ----------
    prefix
        Before every id: the collection, without hyphens, so that the language behind it is told apart.
    qrels
        Grades by docid by the set's own query id.

    Attributes
    ----------
    topics
        Question by qid by language.
    judgements
        Of all languages.
    remarks
        What was left out, in sentences.

    Examples
    --------
    >>> queries = JudgedQueries("news", {"7": {"d1": 3}})
    >>> queries.add("en", [("7", "Which city?"), ("8", "Unjudged?")])
    >>> queries.topics, queries.judgements
    ({'en': {'news-en-7': 'Which city?'}}, [Judgement(qid='news-en-7', docid='d1', relevance=3)])
    >>> queries.remarks
    ['1 query in en has no judgements; left out.']
    """

    prefix: str
    qrels: Qrels
    topics: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)
    judgements: list[Judgement] = dataclasses.field(default_factory=list)
    remarks: list[str] = dataclasses.field(default_factory=list)

    def add(self, language: str, queries: Iterable[tuple[str, str]]) -> None:
        """Add the queries of a language, each its id and its text.

        Raises
        ------
        QgdrError
            If two queries have one id, none has judgements and text, or the language has queries already.
        """
        if language in self.topics:
            raise QgdrError(f"two choices of queries are both in {language!r}; build a collection of each")
        ids, texts, unjudged = TrecIds("query"), {}, 0
        for original, text in queries:
            if original not in self.qrels:
                unjudged += 1
                continue
            qid = f"{self.prefix}-{language.replace('-', '_')}-{ids(original)}"
            if qid in texts:
                raise QgdrError(f"two queries have the id {original!r}; ids must differ")
            texts[qid] = text
            self.judgements += [Judgement(qid, *graded) for graded in self.qrels[original].items()]
        self.topics[language] = {qid: text for qid, text in texts.items() if text}
        if not self.topics[language]:
            raise QgdrError(f"none of the queries in {language!r} has judgements and a text")
        self._remark(
            language, unjudged, len(texts) - len(self.topics[language]), len(self.qrels) - len(texts)
        )

    def _remark(self, language: str, unjudged: int, empty: int, unknown: int) -> None:
        for number, what in (
            (unjudged, "no judgements; left out"),
            (empty, "no text in the chosen fields; not asked, and counted as not found"),
        ):
            if number:
                queries = "query" if number == 1 else "queries"
                has = "has" if number == 1 else "have"
                self.remarks.append(f"{number:,} {queries} in {language} {has} {what}.")
        if unknown:
            self.remarks.append(f"Judgements of {unknown:,} ids are of no query in {language}; left out.")


def parse_fields(option: str, value: str, known: Sequence[str]) -> tuple[str, ...]:
    """Take apart ``FIELD,FIELD``.

    Parameters
    ----------
    option
        What to call it in errors.
    value
        What was given; nothing means the fields that the set itself counts as text.
    known
        The fields there are.

    Raises
    ------
    QgdrError
        If there is no such field.

    Examples
    --------
    >>> parse_fields("--query-field", "title,description", ["title", "description", "narrative"])
    ('title', 'description')
    """
    fields = tuple(field.strip() for field in value.split(",")) if value else ()
    for field in fields:
        if field not in known:
            near = difflib.get_close_matches(field, known, n=1)
            hint = f"did you mean {near[0]}? There are" if near else "there are"
            raise QgdrError(f"{option}: no field {field!r}; {hint} {', '.join(known)}")
    return fields


def question_text(record: Any, fields: Sequence[str]) -> str:
    """Join the fields that make a question, on one line; without fields, take what the set counts as text."""
    values = [getattr(record, field) for field in fields] if fields else [default_text(record)]
    return " ".join(" ".join(map(as_text, values)).split())


def make_passage(record: Any, docid: str, fields: Sequence[str]) -> Passage:
    """Make a passage of a document.

    Parameters
    ----------
    record
        The document.
    docid
        Its id in the corpus.
    fields
        What it is made of: one of `TITLES` is its title, the others its text, one below the other. Without
        any, what the set counts as text, of which a title at the beginning is set apart.
    """
    if not fields:
        title = _one_line(getattr(record, "title", ""))
        text = as_text(default_text(record)).strip()
        if _one_line(text[: len(title)]) != title:
            return Passage(docid, "", text)
        return Passage(docid, title, text[len(title) :].strip())
    titles = [field for field in fields if field in TITLES][:1]
    texts = [as_text(getattr(record, field)).strip() for field in fields if field not in titles]
    title = _one_line(getattr(record, titles[0])) if titles else ""
    return Passage(docid, title, "\n".join(filter(None, texts)))


def field_language(record: Any, fields: Sequence[str]) -> str | None:
    """Tell a question's language by its fields, where a record has several languages.

    ``title_es`` and ``ru_mt_title`` name it; ``ht_title`` and ``mt_title`` are translations, human and by
    machine, into ``translation_lang``, beside which the other fields are English (HC4, NeuCLIR).

    Parameters
    ----------
    record
        A query.
    fields
        The fields that make it; without any, the one that the set counts as its text.

    Returns
    -------
    str or None
        None if it cannot be told.

    Raises
    ------
    QgdrError
        If the fields are in several languages.
    """
    chosen = (
        fields
        or [field for field in record._fields[1:] if getattr(record, field) == default_text(record)][:1]
    )
    found = list(dict.fromkeys(_language(record, field) for field in chosen))
    if len(found) > 1:
        raise QgdrError(f"the fields {', '.join(chosen)} are in several languages; give each a --query-field")
    return found[0] if found else None


def _language(record: Any, field: str) -> str | None:
    translation = getattr(record, "translation_lang", None)
    if field.startswith(_TRANSLATED):
        return translation
    if named := _BY_MACHINE.fullmatch(field) or _IN_LANGUAGE.fullmatch(field):
        return named[1]
    translated = translation or any(map(_BY_MACHINE.fullmatch, record._fields))
    return "en" if translated else None


def default_text(record: Any) -> Any:
    """Give what a set counts as the text of a query or document."""
    if hasattr(record, "default_text"):
        return record.default_text()
    return getattr(record, "text", record[1])


def as_text(value: Any) -> str:
    """Write any field as text that a UTF-8 file can hold.

    Examples
    --------
    >>> as_text(("one", b"two", None, 3))
    'one two  3'
    """
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, (tuple, list)):
        return " ".join(map(as_text, value))
    text = "" if value is None else str(value)
    # JSON may spell half a surrogate pair, which no file can hold.
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _one_line(value: Any) -> str:
    return " ".join(as_text(value).split())
