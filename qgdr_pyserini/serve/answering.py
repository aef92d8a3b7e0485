"""Questions of many, answered by one engine."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Literal

from qgdr_pyserini.ask.engine import FUSED, Engine, fused
from qgdr_pyserini.ask.passages import Answer, Mode
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.serve.batching import Batcher
from qgdr_pyserini.serve.limits import Limits

Role = Literal["query", "passage"]

Kind = tuple[Literal["search", "query", "passage"], int]
"""What is to be done with a text, and for a search, how many passages are wanted."""


class Answering:
    """Answers questions as they come, those that come together in one batch.

    torch and FAISS work in one thread, Lucene in another.

    Parameters
    ----------
    engine
        What is asked.
    limits
        How many are computed together, and how many may wait.
    """

    def __init__(self, engine: Engine, limits: Limits) -> None:
        self.engine = engine
        sizes = {"together": limits.together, "waiting": limits.waiting}
        self._vectors: Batcher[Kind, str, Any] = Batcher(self._with_vectors, **sizes)
        self._words: Batcher[Kind, str, Any] = Batcher(self._with_words, **sizes)

    @property
    def waiting(self) -> int:
        """How many texts wait."""
        return self._vectors.waiting + self._words.waiting

    async def answer(self, question: str, hits: int, mode: Mode, language: str | None) -> Answer:
        """Answer a question; parameters as in `Engine.answer`.

        Raises
        ------
        Busy
            If too many wait.
        QgdrError
            If the mode needs BM25 and there is none, or the search fails.
        """
        if mode not in self.engine.modes:
            raise QgdrError(f"no {mode} search here; start the server with --bm25 DIR")
        if mode == "dense":
            found = await self._vectors.ask(("search", hits), question)
        elif mode == "bm25":
            found = await self._words.ask(("search", hits), question)
        else:
            kind: Kind = ("search", max(hits, FUSED))
            both = self._vectors.ask(kind, question), self._words.ask(kind, question)
            found = fused(*await asyncio.gather(*both))[:hits]
        return self.engine.present(question, language, mode, found)

    async def encode(self, texts: Sequence[str], role: Role) -> list[list[float]]:
        """Encode texts.

        Raises
        ------
        Busy
            If too many wait.
        """
        vectors = await asyncio.gather(*(self._vectors.ask((role, 0), text) for text in texts))
        return [vector.tolist() for vector in vectors]

    def close(self) -> None:
        """Finish what waits, then end the threads."""
        self._vectors.close()
        self._words.close()

    def _with_vectors(self, kind: Kind, texts: Sequence[str]) -> Sequence[Any]:
        name, hits = kind
        if name == "search":
            return self.engine.dense.search(texts, hits)
        if name == "query":
            return list(self.engine.dense.encode(texts))
        return list(self.engine.dense.encoder.encode_passages(texts))

    def _with_words(self, kind: Kind, texts: Sequence[str]) -> Sequence[Any]:
        return self.engine.search(texts, kind[1], "bm25")
