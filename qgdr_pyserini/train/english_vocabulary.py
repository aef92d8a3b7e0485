"""The words of an English encoder, in the spelling of our vocabulary."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

import regex
from transformers import PreTrainedTokenizerBase

from qgdr_pyserini.collection.training_set import TrainingSet
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.train.text_form import WORD

# An uncased English vocabulary also has single characters of many scripts, which are learned better here.
_ENGLISH = regex.compile(r"[\p{Latin}\p{N}\p{P}\p{S}]+")
_PUNCTUATION = regex.compile(r"[\p{P}\p{S}]")
_CONTINUED = "##"
# What a WordPiece vocabulary never saw in our text still has some probability.
_UNSEEN = 0.3
# English is one language of many: its pieces are to be as likely as others' of like frequency.
_RARER = 2.0


def english_pieces(tokenizer: PreTrainedTokenizerBase, data: TrainingSet) -> dict[str, float]:
    """Take over a WordPiece vocabulary.

    Parameters
    ----------
    tokenizer
        Of the English encoder, uncased WordPiece.
    data
        Its English text tells how likely the pieces are.

    Returns
    -------
    dict of str to float
        Log-probability by piece, as `qgdr_pyserini.train.vocabulary` spells them.

    Raises
    ------
    QgdrError
        If the vocabulary is of another kind.
    """
    kind = type(getattr(getattr(tokenizer, "backend_tokenizer", None), "model", None)).__name__
    if kind != "WordPiece":
        raise QgdrError(
            f"student.english {tokenizer.name_or_path!r}: its vocabulary is {kind}, not WordPiece; "
            "name an English encoder with BERT's uncased vocabulary"
        )
    counts = _count(tokenizer, data)
    total, found = sum(counts.values()) + 1, dict[str, float]()
    for token, number in sorted(tokenizer.get_vocab().items(), key=lambda item: item[1]):
        if piece := as_piece(token):
            score = math.log((counts[number] + _UNSEEN) / total) - _RARER
            found[piece] = max(score, found.get(piece, score))
    return found


def as_piece(token: str) -> str | None:
    """Spell a WordPiece token as ours; None for what is not taken over.

    Examples
    --------
    >>> as_piece("river"), as_piece("##side"), as_piece("?"), as_piece("[unused1]"), as_piece("水")
    ('▁river', 'side', '?', None, None)
    """
    bare = token.removeprefix(_CONTINUED) if len(token) > len(_CONTINUED) else token
    if (len(token) > 1 and token.startswith("[")) or not _ENGLISH.fullmatch(bare):
        return None
    if bare != token or _PUNCTUATION.fullmatch(bare):
        return bare
    return WORD + bare


def _count(tokenizer: PreTrainedTokenizerBase, data: TrainingSet) -> Counter[int]:
    counts, texts = Counter[int](), list(_texts(data))
    for start in range(0, len(texts), 10_000):
        rows = tokenizer(
            texts[start : start + 10_000],
            add_special_tokens=False,
            return_attention_mask=False,
            verbose=False,
        )
        counts.update(number for row in rows["input_ids"] for number in row)
    return counts


def _texts(data: TrainingSet) -> Iterator[str]:
    for passage in data.passages.values():
        yield passage.contents
    for query in data.queries:
        if query.lang == "en":
            yield query.query
    for row in data.questions:
        yield row.english
