"""Sampling lines of text from a causal language model."""

from __future__ import annotations

from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase, StoppingCriteria, StoppingCriteriaList

# Marks that models put around what they write; apostrophes end words in some languages.
_QUOTES = ' "“”„«»「」『』`'


def sample_lines(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: dict[str, torch.Tensor],
    *,
    n: int,
    top_k: int,
    limit: int,
    end: int,
) -> list[str]:
    """Go on from prompts until the line, or the text, ends.

    Parameters
    ----------
    model, tokenizer
        What samples.
    prompts
        ``input_ids`` and ``attention_mask``, padded on the left, each ``(prompts, tokens)``.
    n
        Lines for each prompt.
    top_k
        Every token is drawn from this many most likely ones, by the model's own probabilities.
    limit
        Most tokens of a line.
    end
        The end token.

    Returns
    -------
    list of str
        n for each prompt, one prompt after the other; without quotation marks around them, perhaps empty.
    """
    start = prompts["input_ids"].shape[1]
    # A checkpoint may come with settings of its own for chats; these are all that change probabilities.
    plain = {"temperature": 1.0, "top_p": 1.0, "min_p": None, "typical_p": 1.0, "repetition_penalty": 1.0}
    rows = model.generate(
        **prompts,
        do_sample=True,
        top_k=top_k,
        num_beams=1,
        num_return_sequences=n,
        max_new_tokens=limit,
        pad_token_id=end,
        eos_token_id=sorted({end, *_ends(model)}),
        stopping_criteria=StoppingCriteriaList([_LineEnds(tokenizer, start)]),
        **plain,
    )
    return [first_line_of(text) for text in tokenizer.batch_decode(rows[:, start:], skip_special_tokens=True)]


def first_line_of(text: str) -> str:
    """Return the first line that holds anything, without quotation marks around it.

    Examples
    --------
    >>> first_line_of(' \\n "Where does it  rise?"\\nAnswer: there')
    'Where does it rise?'
    """
    lines = text.strip().splitlines()
    return " ".join(lines[0].strip(_QUOTES).split()) if lines else ""


def _ends(model: PreTrainedModel) -> list[int]:
    ends = model.generation_config.eos_token_id
    return [ends] if isinstance(ends, int) else list(ends or ())


class _LineEnds(StoppingCriteria):  # type: ignore[misc]
    """Stops a row once it has written a line."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, start: int) -> None:
        self._tokenizer = tokenizer
        self._start = start

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        texts = self._tokenizer.batch_decode(input_ids[:, self._start :], skip_special_tokens=True)
        return torch.tensor(["\n" in text.lstrip() for text in texts], device=input_ids.device)
