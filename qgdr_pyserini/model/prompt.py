"""Prompts for a question about a passage, in parts: what may be cut, and what must stay."""

from __future__ import annotations

import functools
import string
from pathlib import Path
from typing import NamedTuple

from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.errors import QgdrError

FIELDS = ("title", "text", "language")
"""What a prompt's template may name in braces."""


def language_name(code: str) -> str:
    """Name a language in English, from Unicode's CLDR.

    Parameters
    ----------
    code
        ISO 639-1 or 639-3, with or without a script or region that CLDR has a name for.

    Raises
    ------
    QgdrError
        If CLDR knows no such language.

    Examples
    --------
    >>> [language_name(code) for code in ("de", "zh", "bem", "zh_Hant")]
    ['German', 'Chinese', 'Bemba', 'Traditional Chinese']
    """
    names = _names()
    key = code.replace("-", "_")
    if key not in names:
        raise QgdrError(f"language {code!r} has no English name in CLDR; give an ISO 639 code such as 'de'")
    return names[key]


@functools.cache
def _names() -> dict[str, str]:
    """Read the names, whose file says how it was made."""
    lines = Path(__file__).with_name("language_names.tsv").read_text(encoding="utf-8").splitlines()
    return dict(line.split("\t") for line in lines if not line.startswith("#"))


class Prompt(NamedTuple):
    """A prompt in the order in which it is read.

    Parameters
    ----------
    passage
        Up to the end of the passage; where a prompt is too long, the end of this part is cut off.
    after
        What follows in every language.
    tail
        What follows in one language only: its name, and the words after it.
    """

    passage: str
    after: str = ""
    tail: str = ""

    @property
    def text(self) -> str:
        """The whole prompt."""
        return "".join(self)


def write_prompt(template: str, passage: Passage, language: str) -> Prompt:
    """Fill in a template.

    Parameters
    ----------
    template
        With ``{title}``, ``{text}`` and ``{language}``.
    passage
        What is asked about.
    language
        ISO code; the template gets its English name.

    Examples
    --------
    >>> write_prompt("{title}: {text}\\nIn {language}:", Passage("1", "Danube", "A river."), "de")
    Prompt(passage='Danube: A river.', after='\\nIn', tail=' German:')
    >>> write_prompt("A {language} question about {text}", Passage("1", "", "a river"), "de")
    Prompt(passage='A German question about a river', after='', tail='')
    """
    values = {"title": passage.title, "text": passage.text, "language": language_name(language)}
    ends = [template.rfind(field) + len(field) for field in ("{title}", "{text}") if field in template]
    end = max(ends, default=0)
    before_name, name, rest = template[end:].partition("{language}")
    # A space belongs to the word that follows it: subwords begin with it.
    after = before_name.rstrip(" ") if name else before_name
    parts = template[:end], after, before_name[len(after) :] + name + rest
    return Prompt(*(part.format(**values) for part in parts))


def unknown_field(template: str) -> str | None:
    """Name the first thing in a template's braces that `write_prompt` has nothing for.

    Examples
    --------
    >>> unknown_field("{language}: {passage}"), unknown_field("{language}: {text}")
    ('passage', None)
    """
    names = (name for _, name, _, _ in string.Formatter().parse(template) if name is not None)
    return next((name for name in names if name not in FIELDS), None)
