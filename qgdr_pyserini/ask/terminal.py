"""Answers as people read them in a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import regex
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from qgdr_pyserini.ask.marking import excerpt, printable
from qgdr_pyserini.ask.passages import Answer, RankedPassage, Span
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.prompt import language_name

SHOWN = 320
"""Characters of a passage that are shown."""

_COLUMN = 44
_MARK = "bold yellow"
_UNLIMITED = 10_000
_RIGHT_TO_LEFT = regex.compile(r"[\p{Bidi_Class=R}\p{Bidi_Class=AL}]")
_ISOLATE, _END = "\u2068", "\u2069"


def print_answers(answers: Sequence[Answer], console: Console | None = None, *, full: bool = False) -> None:
    """Print what the systems found for a question, side by side where the terminal is wide enough.

    Parameters
    ----------
    answers
        One of each system.
    console
        Where to; standard output if None. A file or pipe gets one line for a passage's text, without styles.
    full
        Whole passages, instead of `SHOWN` characters.
    """
    console = console or Console(highlight=False)
    if not console.is_terminal:
        console.width = _UNLIMITED
    first = answers[0]
    aside = Text(f"  {_language(first.language)}", style="dim")
    console.print(
        Text("").append(_apart(printable(first.question), console), style="bold").append_text(aside)
    )
    columns = [_column(answer, answers, console, full) for answer in answers]
    if console.is_terminal and len(columns) > 1 and console.width >= _COLUMN * len(columns):
        console.print(_side_by_side(columns))
    else:
        for column in columns:
            console.print(column, soft_wrap=not console.is_terminal)
    console.print()


def _side_by_side(columns: Sequence[RenderableType]) -> Table:
    table = Table.grid(expand=True, padding=(0, 2, 0, 0))
    for _ in columns:
        table.add_column(ratio=1)
    table.add_row(*columns)
    return table


def _column(answer: Answer, answers: Sequence[Answer], console: Console, full: bool) -> RenderableType:
    others = [other for other in answers if other is not answer]
    lines: list[RenderableType] = [Text(answer.system, style="underline")] if others else []
    if not answer.hits:
        lines.append(Text("   nothing found", style="dim"))
    for hit in answer.hits:
        lines.extend(_passage(hit, list(_elsewhere(hit, others)), console, full))
    return Group(*lines)


def _elsewhere(hit: RankedPassage, others: Sequence[Answer]) -> Iterator[str]:
    """Say in which place other systems have a passage."""
    for other in others:
        places = [one.rank for one in other.hits if one.docid == hit.docid]
        yield f"{other.system}: {places[0] if places else '–'}"


def _passage(
    hit: RankedPassage, elsewhere: Sequence[str], console: Console, full: bool
) -> Iterator[RenderableType]:
    head = Text(f"{hit.rank:2}  {hit.score:.4f}  ", style="dim")
    if hit.title:
        title = _marked(printable(hit.title), hit.title_marks)
        title.stylize("bold")
        head.append_text(_isolated(title, console)).append("  ")
    head.append(printable(hit.docid), style="dim")
    if elsewhere:
        head.append(f"  ({', '.join(elsewhere)})", style="dim")
    yield head
    text, marks = hit.text, hit.text_marks
    if not full:
        text, marks = excerpt(text, marks, SHOWN)
    body = _marked(printable(text), marks)
    # Padding fills lines up to the console's width, which a file would keep.
    yield Padding(body, (0, 0, 0, 4)) if console.is_terminal else Text("    ").append_text(body)


def _marked(text: str, marks: Sequence[Span]) -> Text:
    marked = Text(text)
    for start, end in marks:
        marked.stylize(_MARK, start, end)
    return marked


def _isolated(text: Text, console: Console) -> Text:
    """Keep a text that is read from the right from turning the numbers beside it around."""
    if not console.is_terminal or not _RIGHT_TO_LEFT.search(text.plain):
        return text
    return Text(_ISOLATE).append_text(text).append(_END)


def _apart(text: str, console: Console) -> str:
    return _isolated(Text(text), console).plain


def _language(code: str) -> str:
    try:
        return language_name(code)
    except QgdrError:
        return code
