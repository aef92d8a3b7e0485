"""Where the words of a question stand in a passage, and the part of it that is worth a look."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence

import regex

from qgdr_pyserini.ask.passages import Span
from qgdr_pyserini.dictionary.words import is_unspaced, stemmer, tokenize, tokenize_with_offsets

# Lucene's English stop words, question words and the commonest verbs: found everywhere, they show nothing.
_SAYING_NOTHING = frozenset((
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "can", "could", "did", "do", "does", "for",
    "from", "had", "has", "have", "he", "her", "his", "how", "i", "if", "in", "into", "is", "it", "its",
    "many", "much", "no", "not", "of", "on", "or", "our", "s", "she", "such", "t", "than", "that",
    "the", "their", "them", "then", "there", "these", "they", "this", "to", "was", "we", "were", "what",
    "when", "where", "which", "who", "whom", "whose", "why", "will", "with", "would", "you", "your",
))  # fmt: skip
_GRAMMAR = regex.compile(r"\p{Hiragana}{2}")


_stemmer = functools.cache(stemmer)

_BEFORE = 60

# Line ends, what terminals take for commands, and what turns the direction of the text behind it.
_UNPRINTABLE = regex.compile(r"[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


class Marker:
    """Finds a question's words in passages, in other forms too; in scripts without spaces, pairs of letters.

    Parameters
    ----------
    question
        The question.
    language
        Its language, by whose rules its words are stemmed.
    passages
        The language of what is searched for them, likewise.

    Examples
    --------
    >>> Marker("Which rivers pass Vienna?").find("It passes Vienna; no other river does.")
    [(3, 9), (10, 16), (27, 32)]
    >>> Marker("多瑙河发源于哪里？", "zh").find("多瑙河是欧洲第二长河")
    [(0, 3)]
    """

    def __init__(self, question: str, language: str = "en", passages: str = "en") -> None:
        self._languages = tuple(dict.fromkeys((language, passages)))
        words = tokenize(question)
        self._pairs = {pair for word in words if is_unspaced(word) for pair in _pairs(word)}
        spaced = (word for word in words if not is_unspaced(word) and word not in _SAYING_NOTHING)
        self._forms = {form for word in spaced for form in _forms(word, self._languages)}

    def find(self, text: str) -> list[Span]:
        """Say where the words stand, in order; spans do not overlap."""
        found: list[Span] = []
        for run, start, end in tokenize_with_offsets(text):
            if is_unspaced(run):
                found.extend(self._covered(run, start, end))
            elif not self._forms.isdisjoint(_forms(run, self._languages)):
                found.append((start, end))
        return found

    def _covered(self, run: str, start: int, end: int) -> Iterator[Span]:
        """Give the stretches of a run that are made of the question's pairs of letters."""
        places = [place for place in range(len(run) - 1) if run[place : place + 2] in self._pairs]
        if places and len(run) != end - start:  # evened out to another length: there is no telling where
            yield start, end
            return
        stretch: Span | None = None
        for place in places:
            if stretch is not None and place <= stretch[1]:
                stretch = stretch[0], place + 2
                continue
            if stretch is not None:
                yield start + stretch[0], start + stretch[1]
            stretch = place, place + 2
        if stretch is not None:
            yield start + stretch[0], start + stretch[1]


@functools.lru_cache(maxsize=1 << 15)
def _forms(word: str, languages: tuple[str, ...]) -> frozenset[tuple[str, str]]:
    """Give a word and its stems, each stem with the language by whose rules it is one."""
    return frozenset({("", word), *((code, _stemmer(code)(word)) for code in languages)})


def _pairs(run: str) -> Iterator[str]:
    """Give the neighbouring letters of a run, without those of Japanese grammar."""
    found = (run[place : place + 2] for place in range(len(run) - 1))
    return (pair for pair in found if not _GRAMMAR.fullmatch(pair))


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
