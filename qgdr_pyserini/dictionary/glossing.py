"""A question with its rare words in English."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Protocol

from qgdr_pyserini.dictionary.glossary import Glossary
from qgdr_pyserini.dictionary.identifying import identifier
from qgdr_pyserini.dictionary.lookup import Lookup
from qgdr_pyserini.dictionary.translating import translate

# Words kept in memory, as questions have many in common.
_CACHED = 1 << 16


class Tokenizer(Protocol):
    """What is asked of an encoder's tokenizer."""

    def tokenize(self, text: str) -> list[str]:
        """Cut a text into subwords."""

    def decode(self, token_ids: list[int]) -> str:
        """Turn numbers of subwords into text."""


class Glosser:
    """Puts the rare words of questions into English; knows the language by itself.

    A word is rare if the encoder's tokenizer cuts it into several subwords: the encoder has then seen it
    seldom or never, and the dictionary knows better. What it has a vector of its own for stays.

    Parameters
    ----------
    glossary
        Translations.
    tokenizer
        The encoder's, which the glossary was made for.
    """

    def __init__(self, glossary: Glossary, tokenizer: Tokenizer) -> None:
        self._glossary = glossary
        self._tokenizer = tokenizer
        self._lookups: dict[str, Lookup] = {}
        self._is_rare = functools.lru_cache(_CACHED)(self._is_cut)

    def gloss(self, question: str) -> str | None:
        """Put a question's rare words into English.

        Parameters
        ----------
        question
            In any language.

        Returns
        -------
        str or None
            The words of the question, rare ones by their translations; None where none has one, as
            in English.
        """
        language = identifier(self._glossary.told_apart).identify(question)
        if language not in self._glossary.words:
            return None
        if language not in self._lookups:
            self._lookups[language] = self._glossary.lookup(language, self._tokenizer.decode)
        return gloss(question, self._lookups[language], self._is_rare)

    def _is_cut(self, phrase: str) -> bool:
        return len(self._tokenizer.tokenize(phrase)) > phrase.count(" ") + 1


def gloss(question: str, lookup: Lookup, is_rare: Callable[[str], bool]) -> str | None:
    """Replace the words of a question that are rare and known; None if there are none.

    Parameters
    ----------
    question
        In the language of ``lookup``.
    lookup
        Its words.
    is_rare
        Tells it of a word or phrase, in the spelling of `runs`.

    Examples
    --------
    >>> from qgdr_pyserini.dictionary.dictionary import Dictionary
    >>> german = Dictionary("de", {"fluss": ("river",), "mündung": ("mouth", "estuary")})
    >>> gloss("Wo ist die Flussmündung?", german, lambda word: len(word) > 5)
    'wo ist die river mouth estuary'
    """
    words, replaced = list[str](), False
    for word in translate(question, lookup):
        if word.translations and is_rare(word.source):
            words += [english for english, _ in word.translations]
            replaced = True
        else:
            words.append(word.source)
    return " ".join(words) if replaced else None
