"""A corpus in windows of tokens, less those that are encoded already."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence

from qgdr_pyserini.collection.corpus import Passage, corpus_files, on_hub
from qgdr_pyserini.encode.journal import WindowRecord
from qgdr_pyserini.encode.options import EncodingOptions
from qgdr_pyserini.encode.truncation import Truncation
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.inference.batching import windows


@dataclasses.dataclass(frozen=True, slots=True)
class CorpusWindow:
    """A window ready to be computed: its passages, their token numbers, what was cut, and their digest."""

    passages: list[Passage]
    tokens: list[list[int]]
    truncation: Truncation
    contents: str


class WindowReader:
    """Reads a corpus window by window and turns into tokens what is still to be encoded.

    Parameters
    ----------
    passages
        The whole corpus.
    model
        The encoder whose tokens are wanted.
    options
        Window, length and shard.
    done
        What was encoded already: these windows are compared with what is read, and left out.
    """

    def __init__(
        self,
        passages: Iterable[Passage],
        model: DualEncoder,
        options: EncodingOptions,
        done: Sequence[WindowRecord] = (),
    ) -> None:
        self._passages = passages
        self._model = model
        self._options = options
        self._done = list(done)
        self.read = 0

    def __iter__(self) -> Iterator[CorpusWindow]:
        """Yield the windows left.

        Raises
        ------
        QgdrError
            If a window that was encoded already is not what it was.
        """
        done = iter(self._done)
        for number, window in enumerate(windows(self._passages, self._options.window)):
            first, self.read = self.read + 1, self.read + len(window)
            if not self._options.shard.holds(number):
                continue
            contents = digest(window)
            record = next(done, None)
            if record is None:
                yield self._tokenize(window, contents)
            elif record.contents != contents:
                raise _changed(f"passages {first:,} to {self.read:,} differ from those encoded before")
        if next(done, None) is not None:
            raise _changed("it is shorter than what was encoded before")

    def _tokenize(self, window: list[Passage], contents: str) -> CorpusWindow:
        texts, titles = [item.text for item in window], [item.title for item in window]
        tokens = self._model.passage_tokens(texts, titles, self._options.max_length)
        most = self._options.max_length or self._model.config.passage_max_length
        # What is shorter was not cut, so only the others are read a second time.
        full = [number for number, text in enumerate(tokens) if len(text) >= most]
        lengths = self._model.passage_lengths([texts[i] for i in full], [titles[i] for i in full])
        lost = [length - len(tokens[i]) for i, length in zip(full, lengths, strict=True)]
        return CorpusWindow(window, tokens, Truncation.of(tokens, lost), contents)


def digest(window: Iterable[Passage]) -> str:
    """Digest of the ids, titles and texts of passages."""
    found = hashlib.blake2b(digest_size=16)
    for item in window:
        found.update(f"{item.docid}\0{item.title}\0{item.text}\0".encode())
    return found.hexdigest()


def describe_files(corpus: str | os.PathLike[str]) -> list[list[str | int]]:
    """Names and sizes in bytes of a corpus's files, in reading order; the name alone of a set on the hub."""
    if on_hub(corpus):
        return [[os.fspath(corpus), 0]]
    return [[file.name, file.stat().st_size] for file in corpus_files(corpus)]


def _changed(how: str) -> QgdrError:
    return QgdrError(f"the corpus changed: {how}; restore it, or start again with --overwrite")
