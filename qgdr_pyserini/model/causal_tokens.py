"""Prompts and questions as tokens of a causal language model, cut and joined in one way only."""

from __future__ import annotations

from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.prompt import Prompt


class CausalTokens:
    """Turns the parts of prompts, and questions, into tokens, each part on its own.

    What a model reads is their tokens one after the other, whether a prefix is shared or not, so a
    score depends on no other pair. A question begins with a space, as a word in running text does.

    Parameters
    ----------
    tokenizer
        Of the model.

    Raises
    ------
    QgdrError
        If it has no end token.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        end = tokenizer.eos_token_id if tokenizer.eos_token_id is not None else tokenizer.sep_token_id
        if end is None:
            raise QgdrError(f"{tokenizer.name_or_path}: its tokenizer has no end token")
        self._tokenizer = tokenizer
        self.end: int = end
        starts = {tokenizer.bos_token_id, tokenizer.cls_token_id} - {None, end}
        self._start = [token for token in tokenizer("")["input_ids"][:1] if token in starts]
        word = tokenizer.tokenize("a")
        self._adds_space = bool(word) and word[0].startswith("▁")

    def prefixes(self, prompts: Sequence[Prompt], limit: int) -> list[list[int]]:
        """Tokenise prompts up to their tails, in ``limit`` tokens at most, of which passages give way."""
        afters = {after: self._pieces([after])[0] for after in {prompt.after for prompt in prompts}}
        passages = self._pieces([prompt.passage for prompt in prompts], limit)
        rows = []
        for prompt, passage in zip(prompts, passages, strict=True):
            after = afters[prompt.after]
            room = max(0, limit - len(self._start) - len(after))
            # Something has to be read before a question; a model that has no start token knows its end.
            rows.append([*self._start, *passage[:room], *after] or [self.end])
        return rows

    def tails(self, tails: Sequence[str]) -> list[list[int]]:
        """Tokenise prompts' tails."""
        return self._pieces(tails)

    def questions(self, texts: Sequence[str], limit: int, *, after_space: bool, end: bool) -> list[list[int]]:
        """Tokenise questions.

        Parameters
        ----------
        texts
            Without a space in front.
        limit
            In tokens, the end's excepted.
        after_space
            Whether a space parts them from what comes before.
        end
            Whether the end token follows.
        """
        space = " " if after_space and not self._adds_space else ""
        rows = self._pieces([space + text for text in texts], limit)
        return [[*row, self.end] for row in rows] if end else rows

    def _pieces(self, texts: Sequence[str], limit: int | None = None) -> list[list[int]]:
        if not texts:
            return []
        cut = {"truncation": True, "max_length": limit} if limit else {"verbose": False}
        return list(self._tokenizer(list(texts), add_special_tokens=False, **cut)["input_ids"])
