"""Texts of records that have many fields: which of them make a question or a passage."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Any

from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.errors import QgdrError

TITLES = ("title", "headline", "page_title", "document_title")
"""Fields that are a document's title, where one is asked for by name."""

_TRANSLATED = ("ht_", "mt_")
_BY_MACHINE = re.compile(r"([a-z]{2})_mt_.*")
# What ends in "_id" is an id, not Indonesian.
_IN_LANGUAGE = re.compile(r".*_(?!id)([a-z]{2})[0-9]?")


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
