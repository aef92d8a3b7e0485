"""The part of a passage that is worth a look, safe to print."""

from __future__ import annotations

from collections.abc import Sequence

import regex

from qgdr_pyserini.ask.hits import Span

_BEFORE = 60
# Line ends, what terminals take for commands, and what turns the direction of the text behind it.
_UNPRINTABLE = regex.compile(r"[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    r"""Put spaces in place of line ends, control characters and marks of direction, one for one.

    Examples
    --------
    >>> printable("two\nlines \x1b[31m")
    'two lines  [31m'
    """
    return str(_UNPRINTABLE.sub(" ", text))


def excerpt(text: str, marks: Sequence[Span], length: int) -> tuple[str, list[Span]]:
    """Cut a text to some length, around the first mark where that is not in sight.

    Parameters
    ----------
    text
        What to cut.
    marks
        Spans in it, in order.
    length
        Most characters to keep; an ellipsis on either side is not counted.

    Returns
    -------
    tuple
        The excerpt, and the marks that are whole in it.

    Examples
    --------
    >>> excerpt("one two three four", [(14, 18)], 8)
    ('… four', [(2, 6)])
    >>> excerpt("one two three four", [], 8)
    ('one two …', [])
    """
    if len(text) <= length:
        return text, list(marks)
    start = _start(text, marks, length)
    end = len(text) if len(text) - start <= length else _boundary(text, start, start + length)
    before, after = ("… " if start else ""), (" …" if end < len(text) else "")
    shift = start - len(before)
    kept = [(first - shift, last - shift) for first, last in marks if start <= first and last <= end]
    return f"{before}{text[start:end].rstrip()}{after}", kept


def _start(text: str, marks: Sequence[Span], length: int) -> int:
    if not marks or marks[0][1] <= length:
        return 0
    wanted = max(marks[0][0] - min(_BEFORE, length // 4), 0)
    space = text.find(" ", wanted, marks[0][0])
    return space + 1 if space >= 0 else wanted


def _boundary(text: str, start: int, end: int) -> int:
    """Go back to the last space, if there is one."""
    space = text.rfind(" ", start, end + 1)
    return space if space > start else end
