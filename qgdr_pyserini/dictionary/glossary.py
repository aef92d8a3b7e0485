"""Translations of many languages' words in few bytes: hashed stems, and numbers of subwords."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from qgdr_pyserini.dictionary.lookup import Lookup, Weights
from qgdr_pyserini.dictionary.stems import phrase_stemmer
from qgdr_pyserini.errors import InputError
from qgdr_pyserini.files import atomic_bytes

FILE = "glossary.safetensors"
"""Beside an encoder's weights."""

MOST_MEANINGS = 2**16 - 1
"""Meanings are numbered from 1 in 16 bits; 0 stands for none."""

_ABOUT, _FORMAT = "qgdr_glossary", 1
# Phrases kept in memory, as questions have many in common.
_CACHED = 1 << 16

Decode = Callable[[list[int]], str]
"""Turns numbers of subwords into text."""


@dataclasses.dataclass(frozen=True, slots=True)
class Words:
    """One language's part of a glossary.

    Parameters
    ----------
    keys
        Hashes of phrases' stems; uint32, ``(phrases,)``.
    meanings
        Their translations, the best first, as numbers of meanings, 0 where there is none; uint16,
        ``(phrases, translations)``.
    most_words, most_letters
        Of the longest phrase.
    """

    keys: npt.NDArray[np.uint32]
    meanings: npt.NDArray[np.uint16]
    most_words: int
    most_letters: int

    def by_count(self) -> dict[str, npt.NDArray[Any]]:
        """Give the arrays to store: phrases with one translation, with two, and so on."""
        counts, arrays = (self.meanings > 0).sum(axis=1), dict[str, npt.NDArray[Any]]()
        for count in range(1, self.meanings.shape[1] + 1):
            rows = counts == count
            arrays[f"{count}.keys"] = self.keys[rows]
            arrays[f"{count}.meanings"] = np.ascontiguousarray(self.meanings[rows, :count])
        return arrays

    @classmethod
    def from_counts(
        cls, arrays: Callable[[str], npt.NDArray[Any]], most: int, most_words: int, most_letters: int
    ) -> Words:
        """Put together what `by_count` gave, for up to ``most`` translations."""
        counts = range(1, most + 1)
        meanings = [np.pad(arrays(f"{n}.meanings"), ((0, 0), (0, most - n))) for n in counts]
        keys = [arrays(f"{n}.keys") for n in counts]
        return cls(np.concatenate(keys), np.concatenate(meanings), most_words, most_letters)


@dataclasses.dataclass(frozen=True, slots=True)
class Glossary:
    """What an encoder knows of rare words: their translations, by language.

    A phrase is kept as 32 bits of its stems' hash, a translation as subwords of the encoder's vocabulary.
    One word in 80,000 or so of a language with 50,000 phrases is taken for another.

    Parameters
    ----------
    words
        By language.
    told_apart
        All languages that a question is taken to be in, those without phrases included.
    pieces
        Subwords of all meanings, one after the other; uint32.
    lengths
        Number of subwords of each meaning; uint8.
    """

    words: Mapping[str, Words]
    told_apart: tuple[str, ...]
    pieces: npt.NDArray[np.uint32]
    lengths: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return sum(len(words.keys) for words in self.words.values())

    def lookup(self, language: str, decode: Decode) -> Lookup:
        """Give one language's words; ``decode`` is the tokenizer's."""
        return _StoredWords(language, self, decode)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the glossary to a safetensors file."""
        from safetensors.numpy import save

        tensors: dict[str, npt.NDArray[Any]] = {"pieces": self.pieces, "lengths": self.lengths}
        sizes = {}
        for language, words in sorted(self.words.items()):
            tensors |= {f"{language}.{name}": array for name, array in words.by_count().items()}
            sizes[language] = [words.meanings.shape[1], words.most_words, words.most_letters]
        about = {"format": _FORMAT, "sizes": sizes, "told_apart": self.told_apart}
        with atomic_bytes(path) as file:
            # One entry: safetensors writes several in an order of chance.
            file.write(save(tensors, {_ABOUT: json.dumps(about)}))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Glossary:
        """Read what `save` wrote.

        Raises
        ------
        InputError
            If the file is damaged or of another kind.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, "numpy") as file:
                about = json.loads((file.metadata() or {}).get(_ABOUT, "{}"))
                if not isinstance(about, dict) or about.get("format") != _FORMAT:
                    raise InputError(f"no glossary of format {_FORMAT}; update qgdr-pyserini", path)
                words = {
                    language: Words.from_counts(_part(file.get_tensor, language), *sizes)
                    for language, sizes in about["sizes"].items()
                }
                told_apart = tuple(about["told_apart"])
                return cls(words, told_apart, file.get_tensor("pieces"), file.get_tensor("lengths"))
        except (SafetensorError, OSError) as error:
            raise InputError(f"damaged ({error}); install the encoder again", path) from None


def _part(get: Callable[[str], Any], language: str) -> Callable[[str], npt.NDArray[Any]]:
    return lambda name: np.asarray(get(f"{language}.{name}"))


def key(stems: str) -> int:
    """Hash a phrase's stems into 32 bits.

    Examples
    --------
    >>> key("schwarz meer") == key("schwarz meer") != key("schwarz")
    True
    """
    return int.from_bytes(hashlib.blake2b(stems.encode(), digest_size=4).digest(), "little")


class _StoredWords(Lookup):
    """A language's words; translations are decoded as they are asked for."""

    def __init__(self, language: str, glossary: Glossary, decode: Decode) -> None:
        words = glossary.words[language]
        self.language = language
        self.most_words, self.most_letters = words.most_words, words.most_letters
        self._row = {phrase: row for row, phrase in enumerate(words.keys.tolist())}
        self._meanings = words.meanings
        self._pieces, self._ends = glossary.pieces, np.cumsum(glossary.lengths, dtype=np.int64)
        self._decode = decode
        self._stems = phrase_stemmer(language)
        self._translate = functools.lru_cache(_CACHED)(self._look_up)

    def exactly(self, phrase: str) -> Weights:
        return dict.fromkeys(self._translate(phrase), 1.0)

    def find(self, words: Sequence[str]) -> Weights | None:
        return self.exactly(" ".join(words)) or None

    def _look_up(self, phrase: str) -> tuple[str, ...]:
        row = self._row.get(key(self._stems(phrase)))
        if row is None:
            return ()
        return tuple(self._meaning(number) for number in self._meanings[row].tolist() if number)

    def _meaning(self, number: int) -> str:
        start = int(self._ends[number - 2]) if number > 1 else 0
        return self._decode(self._pieces[start : self._ends[number - 1]].tolist()).strip()
