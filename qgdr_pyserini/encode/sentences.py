"""Where sentences begin, in any language: Wikimedia's sentencex."""

from __future__ import annotations

import itertools
import re

import sentencex

from qgdr_pyserini.dictionary.language_id import identify_language

# As much of a text as tells its language.
_SAMPLE = 1000
# sentencex 1.0.32 panics behind a full stop at spaces outside of ASCII. One character stands for another, so
# that places stay what they are.
_SPACE = re.compile(r"[^\S\n]")


def sentence_starts(text: str) -> list[int]:
    """Return where the sentences of a text begin, in characters; 0 is always the first.

    A text in which the library finds no sentence, Thai for one, is a single one.

    Parameters
    ----------
    text
        In any language, told by its first thousand characters.

    Examples
    --------
    >>> sentence_starts("It rises. It flows, e.g. by Vienna. It ends.")
    [0, 10, 36]
    >>> sentence_starts("它发源于黑森林。它流经维也纳。")
    [0, 8]
    """
    lengths = [len(sentence) for sentence in _sentences(_SPACE.sub(" ", text))]
    return [0, *itertools.accumulate(lengths[:-1])]


def _sentences(text: str) -> list[str]:
    try:
        found: list[str] = sentencex.segment(identify_language(text[:_SAMPLE]), text)
    except BaseException as error:
        # What the library's Rust ends in is no `Exception`; a text it cannot read counts as one sentence.
        if type(error).__name__ != "PanicException":
            raise
        return [text]
    return found if "".join(found) == text else [text]
