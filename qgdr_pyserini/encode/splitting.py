"""Long documents split into segments of so many of the encoder's tokens, at sentence ends where they can."""

from __future__ import annotations

import bisect
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence

from qgdr_pyserini.collection.corpus import Passage, place_of
from qgdr_pyserini.collection.segments import DELIMITER, segment_id
from qgdr_pyserini.encode.sentences import sentence_starts
from qgdr_pyserini.encode.split import Split
from qgdr_pyserini.errors import InputError, QgdrError
from qgdr_pyserini.model.dual_encoder import DualEncoder

# Fewer tokens than this beside the special ones and the prefix make no segment worth encoding.
_LEAST = 8

Span = tuple[int, int]
"""Where a segment begins and ends in a text, in characters."""


class Splitter:
    """Splits the documents of a corpus as an encoder reads them.

    Parameters
    ----------
    model
        The encoder whose tokens are counted.
    split
        Length and stride.
    max_length
        Tokens at which the encoder cuts.

    Raises
    ------
    QgdrError
        If the encoder would cut the segments, they have no room for text, or its tokenizer does not tell
        where in a text tokens are.
    """

    def __init__(self, model: DualEncoder, split: Split, max_length: int) -> None:
        self._model = model
        self._split = split
        _refuse_unusable(model, split, max_length)

    def segments(self, corpus: str | os.PathLike[str], documents: Iterable[Passage]) -> Iterator[Passage]:
        """Split documents, one after the other.

        Parameters
        ----------
        corpus
            Where they come from, to be named in errors.
        documents
            In any order, ids without the delimiter.

        Yields
        ------
        Passage
            Segments ``DOCID#0``, ``DOCID#1``, …, each with the document's title.

        Raises
        ------
        InputError
            If an id holds the delimiter.
        """
        for document in documents:
            if DELIMITER in document.docid:
                raise InputError(
                    f"id {document.docid!r} holds {DELIMITER!r}, which --split puts before a segment's "
                    "number; rename it",
                    *place_of(corpus, document.docid),
                )
            yield from self.split(document)

    def split(self, document: Passage) -> list[Passage]:
        """Split one document.

        Nothing but white space at the ends of segments is lost. A title that would leave less than half of a
        segment to the text is cut.
        """
        title = self._fitting(document.title)
        texts = self._texts(title, document.text)
        docid = document.docid
        return [Passage(segment_id(docid, number), title, text) for number, text in enumerate(texts)]

    def _texts(self, title: str, text: str) -> list[str]:
        if max(self._lengths(title, [text])) <= self._split.tokens:
            return [text]
        tokens, sentences = self._spans(text), sentence_starts(text)
        room = max(1, self._split.tokens - self._lengths(title, [""])[0])
        while True:
            stride = min(self._split.stride, room)
            spans = split_spans(text, tokens, sentences, room, stride)
            texts = [part for start, end in spans if (part := text[start:end].strip())] or [""]
            over = max(self._lengths(title, texts)) - self._split.tokens
            # A text that begins elsewhere may be more tokens than it was within the whole.
            if over <= 0 or room == 1:
                return texts
            room = max(1, room - over)

    def _fitting(self, title: str) -> str:
        """Cut a title that takes more than half of a segment."""
        over = self._lengths(title, [""])[0] - max(self._split.tokens // 2, self._lengths("", [""])[0])
        if not title or over <= 0:
            return title
        tokens = self._spans(title)
        first_over = next(iter(tokens[max(0, len(tokens) - over) :]), (0, 0))
        return title[: first_over[0]].rstrip()

    def _lengths(self, title: str, texts: Sequence[str]) -> list[int]:
        """Count the tokens of segments as they are encoded, uncut."""
        return self._model.passage_lengths(texts, [title] * len(texts))

    def _spans(self, text: str) -> list[Span]:
        encoded = self._model.tokenizer(
            text, add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )
        spans: list[Span] = encoded["offset_mapping"]
        return spans


def split_spans(
    text: str, tokens: Sequence[Span], sentences: Sequence[int], room: int, stride: int
) -> list[Span]:
    """Cut a text into windows that cover it.

    A window ends with the last sentence that fits; if none does, at the last white space; if there is none,
    at the last token. The next one begins likewise.

    Parameters
    ----------
    text
        The text.
    tokens
        Where its tokens are.
    sentences
        Where its sentences begin.
    room
        Most tokens of a window.
    stride
        Tokens from where one window begins to where the next does, at most ``room``: fewer where a sentence
        begins before, more where only one does within the window behind.

    Examples
    --------
    >>> text = "It rises. It flows. It ends."
    >>> words = [(0, 2), (3, 9), (10, 12), (13, 19), (20, 22), (23, 28)]
    >>> [text[start:end] for start, end in split_spans(text, words, [0, 10, 20], room=4, stride=2)]
    ['It rises. It flows. ', 'It flows. It ends.']
    """
    cuts = _Cuts(text, tokens, sentences)
    spans, first = [], 0
    while (end := cuts.end(first, room)) < len(tokens):
        spans.append((cuts.place(first), cuts.place(end)))
        first = cuts.begin(first, stride, end)
    return [*spans, (cuts.place(first), len(text))]


class _Cuts:
    """The tokens before which a text may be cut, by number."""

    def __init__(self, text: str, tokens: Sequence[Span], sentences: Sequence[int]) -> None:
        self._tokens = tokens
        # Several tokens may be parts of one character, which is not cut.
        self._free = [
            number
            for number, (before, here) in enumerate(itertools.pairwise(tokens), 1)
            if here[0] >= before[1] and here[0] > before[0]
        ]
        self._spaced = [number for number in self._free if _after_space(text, tokens[number][0])]
        ends = [end for _, end in tokens]
        begins = {bisect.bisect_right(ends, place) for place in sentences}
        self._sentences = [number for number in self._free if number in begins]

    def place(self, number: int) -> int:
        """Where in the text token ``number`` begins; the first has what stands before it."""
        return self._tokens[number][0] if number else 0

    def end(self, first: int, room: int) -> int:
        """Return the best token to cut before, at most ``room`` after ``first``; their number for the end."""
        last = first + room
        if last >= len(self._tokens):
            return len(self._tokens)
        found = (_last_within(level, first, last) for level in (self._sentences, self._spaced, self._free))
        # Behind all of them: a single character of more tokens than there is room for.
        return next(filter(None, found), None) or _next_after(self._free, first) or len(self._tokens)

    def begin(self, first: int, stride: int, end: int) -> int:
        """Return where the window after that from ``first`` to ``end`` begins."""
        within = _last_within(self._sentences, first, min(first + stride, end))
        behind = _next_after(self._sentences, first + stride)
        if within is None and behind is not None and behind <= end:
            return behind
        return within or min(end, self.end(first, stride))


def _last_within(numbers: Sequence[int], above: int, most: int) -> int | None:
    """Return the last of sorted numbers that is above one and at most another."""
    position = bisect.bisect_right(numbers, most) - 1
    return numbers[position] if position >= 0 and numbers[position] > above else None


def _next_after(numbers: Sequence[int], above: int) -> int | None:
    position = bisect.bisect_right(numbers, above)
    return numbers[position] if position < len(numbers) else None


def _after_space(text: str, place: int) -> bool:
    return any(map(str.isspace, text[place - 1 : place + 1]))


def _refuse_unusable(model: DualEncoder, split: Split, max_length: int) -> None:
    if not model.tokenizer.is_fast:
        raise QgdrError("--split needs a tokenizer that tells where its tokens are; this encoder's does not")
    if split.tokens > max_length:
        raise QgdrError(
            f"--split {split.tokens} is more than the {max_length} tokens at which passages are cut; "
            "lower it, or raise --max-length"
        )
    taken = model.passage_lengths([""], [""])[0]
    if split.tokens < taken + _LEAST:
        raise QgdrError(
            f"--split {split.tokens} leaves no room for text; at least {taken + _LEAST} tokens are needed"
        )
