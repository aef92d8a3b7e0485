"""A smaller vocabulary: subwords that the texts of a collection never show are taken out of an encoder.

Most of a small multilingual encoder is its table of subword vectors, and most of that table is for languages
and words that a collection does not have (Abdaoui, Pradel & Sigel 2020, "Load What You Need").
"""

from __future__ import annotations

import copy
import itertools
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from tokenizers import Tokenizer
from transformers import PreTrainedModel, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from qgdr_pyserini.collection.jsonl import read_texts
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.files import atomic_directory
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.precision import ON_DISK, OnDisk
from qgdr_pyserini.settings import Settings

# Of the kinds of subwords, those whose cut of a text stays the best one when unused subwords go.
_PRUNABLE = ("Unigram", "WordPiece", "WordLevel")
_WORD_MARKS = ("▁", "##")
_AT_ONCE = 4096


class PruningSettings(Settings):
    """Which subwords an encoder keeps.

    Special tokens and single characters are kept in any case: no text becomes unreadable.

    Parameters
    ----------
    min_count
        How often a subword must occur in the texts.
    first
        How many subwords at the head of the vocabulary are kept, used or not. A vocabulary that was learned
        lists the frequent ones first, so the common words of languages that the texts lack survive.
    """

    min_count: int = Field(default=1, ge=1)
    first: int = Field(default=0, ge=0)


def prune(encoder: DualEncoder, texts: Iterable[str], settings: PruningSettings) -> DualEncoder:
    """Take subwords out of an encoder that texts do not use.

    A text that uses none of them is cut as before and has the same vector.

    Parameters
    ----------
    encoder
        With a unigram, WordPiece or word vocabulary.
    texts
        What the encoder is for: all the languages that it is to keep.
    settings
        Which subwords are kept.

    Returns
    -------
    DualEncoder
        Another encoder; the one given stays as it is.

    Raises
    ------
    QgdrError
        If the vocabulary is of another kind: byte pairs are merged step by step, through subwords that no
        text shows.
    """
    content = _tokenizer_content(encoder.tokenizer)
    kept = kept_subwords(encoder.tokenizer, count_subwords(encoder.tokenizer, texts), settings)
    # Every text begins with a prefix, whatever the texts show.
    prefixes = count_subwords(encoder.tokenizer, [encoder.config.query_prefix, encoder.config.passage_prefix])
    # Of two unknown tokens, as conversions from sentencepiece leave, the tokenizer names but one.
    unknown = content["model"].get("unk_id")
    kept = sorted({*kept, *prefixes, unknown} - {None})
    places = {old: new for new, old in enumerate(kept)}
    tokenizer = _rebuilt(encoder.tokenizer, _pruned(content, places))
    return DualEncoder(_with_rows(encoder.model, kept, places), tokenizer, encoder.config).eval()


def prune_folder(
    folder: Path,
    files: Iterable[Path],
    output: Path,
    settings: PruningSettings,
    export: OnDisk = "fp32",
    *,
    overwrite: bool = False,
) -> tuple[int, int]:
    """Write a pruned copy of an encoder, without its card, which is the whole encoder's.

    Parameters
    ----------
    folder
        The encoder's.
    files
        Texts that it is for; see `qgdr_pyserini.collection.jsonl.read_texts`.
    output
        The new encoder's folder.
    settings
        Which subwords are kept.
    export
        Precision of the weights on disk.
    overwrite
        Replace an encoder that stands there.

    Returns
    -------
    tuple of int
        Subwords before and after.

    Raises
    ------
    QgdrError
        If a file cannot be read, the encoder cannot be pruned, or ``output`` may not be written.
    """
    with atomic_directory(output, overwrite=overwrite) as work:
        encoder = DualEncoder.from_pretrained(folder)
        smaller = prune(encoder, itertools.chain.from_iterable(map(read_texts, files)), settings)
        smaller.save_pretrained(work, ON_DISK[export])
    return len(encoder.tokenizer), len(smaller.tokenizer)


def count_subwords(tokenizer: PreTrainedTokenizerBase, texts: Iterable[str]) -> Counter[int]:
    """Count how often each subword occurs in texts, by its number."""
    counts: Counter[int] = Counter()
    remaining = iter(texts)
    while chunk := list(itertools.islice(remaining, _AT_ONCE)):
        rows = tokenizer(chunk, add_special_tokens=False, return_attention_mask=False, verbose=False)
        counts.update(itertools.chain.from_iterable(rows["input_ids"]))
    return counts


def kept_subwords(
    tokenizer: PreTrainedTokenizerBase, counts: Mapping[int, int], settings: PruningSettings
) -> list[int]:
    """List the numbers of the subwords that are kept, in ascending order.

    Examples
    --------
    >>> from tokenizers.models import WordLevel
    >>> words = {"[UNK]": 0, "a": 1, "der": 2, "the": 3, "who": 4}
    >>> tokenizer = Tokenizer(WordLevel(words, unk_token="[UNK]"))
    >>> tokenizer = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]")
    >>> kept_subwords(tokenizer, {3: 9, 4: 1}, PruningSettings(min_count=2))
    [0, 1, 3]
    >>> kept_subwords(tokenizer, {3: 9, 4: 1}, PruningSettings(min_count=2, first=3))
    [0, 1, 2, 3]
    """
    vocabulary = tokenizer.get_vocab()
    always = {number for token, number in vocabulary.items() if _is_character(token)}
    always |= {*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder}
    first = {number for number in vocabulary.values() if number < settings.first}
    used = {number for number in vocabulary.values() if counts.get(number, 0) >= settings.min_count}
    return sorted(always | first | used)


def _is_character(token: str) -> bool:
    for mark in _WORD_MARKS:
        token = token.removeprefix(mark)
    return len(token) <= 1


def _tokenizer_content(tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    content: dict[str, Any] = json.loads(backend.to_str()) if backend is not None else {"model": {}}
    kind = content["model"].get("type", "of its own kind")
    if kind not in _PRUNABLE:
        raise QgdrError(f"a vocabulary {kind} cannot be pruned; only {', '.join(_PRUNABLE)} can")
    return content


def _pruned(content: dict[str, Any], places: Mapping[int, int]) -> dict[str, Any]:
    model = content["model"]
    if isinstance(model["vocab"], dict):
        kept = {token: places[number] for token, number in model["vocab"].items() if number in places}
        model["vocab"] = dict(sorted(kept.items(), key=lambda item: item[1]))
    else:
        model["vocab"] = [row for number, row in enumerate(model["vocab"]) if number in places]
        model["unk_id"] = places.get(model["unk_id"])
    for token in content["added_tokens"]:
        token["id"] = places[token["id"]]
    if content.get("padding"):
        content["padding"]["pad_id"] = places[content["padding"]["pad_id"]]
    for processor in _processors(content.get("post_processor")):
        _renumber(processor, places)
    return content


def _processors(processor: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    """Go through what puts special tokens around a text."""
    if processor is None:
        return
    if processor["type"] == "Sequence":
        for part in processor["processors"]:
            yield from _processors(part)
    else:
        yield processor


def _renumber(processor: dict[str, Any], places: Mapping[int, int]) -> None:
    for token in processor.get("special_tokens", {}).values():
        token["ids"] = [places[number] for number in token["ids"]]
    for end in ("sep", "cls"):
        if end in processor:
            processor[end][1] = places[processor[end][1]]


def _rebuilt(tokenizer: PreTrainedTokenizerBase, content: dict[str, Any]) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(content)),
        model_max_length=tokenizer.model_max_length,
        padding_side=tokenizer.padding_side,
        truncation_side=tokenizer.truncation_side,
        **tokenizer.special_tokens_map,
    )


def _with_rows(model: PreTrainedModel, kept: Sequence[int], places: Mapping[int, int]) -> PreTrainedModel:
    smaller = copy.deepcopy(model)
    vectors = model.get_input_embeddings().weight.detach()[list(kept)].clone()
    config = smaller.config
    config.vocab_size = len(kept)
    for name in ("pad_token_id", "bos_token_id", "eos_token_id"):
        if (old := getattr(config, name, None)) is not None:
            setattr(config, name, places.get(old))
    table = torch.nn.Embedding(len(kept), vectors.shape[1], config.pad_token_id, _weight=vectors)
    smaller.set_input_embeddings(table)
    return smaller
