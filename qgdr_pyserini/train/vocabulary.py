"""A multilingual subword vocabulary, learned from the training set."""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Iterator

import sentencepiece
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from qgdr_pyserini.collection.training_set import TrainingSet
from qgdr_pyserini.errors import QgdrError, first_line
from qgdr_pyserini.train.english_vocabulary import english_pieces
from qgdr_pyserini.train.recipe_settings import VocabularySettings
from qgdr_pyserini.train.text_form import SPECIAL, UNKNOWN, WORD, Piece, make_tokenizer
from qgdr_pyserini.train.word_counts import ENGLISH, WordCounts, count_words, damped

_RAREST_WHOLE_WORD = 4
_LONGEST_WHOLE_WORD = 12
# Digits after the point of a log-probability: more would double the size of the tokenizer's file.
_DIGITS = 3


def learn_vocabulary(
    data: TrainingSet,
    settings: VocabularySettings,
    seed: int,
    max_length: int,
    english: PreTrainedTokenizerBase | None = None,
) -> PreTrainedTokenizerFast:
    """Learn a unigram vocabulary over all languages of a training set.

    Parameters
    ----------
    data
        The training set.
    settings
        Sizes.
    seed
        Of the sample that is looked at.
    max_length
        The tokenizer's default limit, in tokens.
    english
        The tokenizer of an English encoder that the student goes on from: its words come into the
        vocabulary, beside those that are learned from the other languages.

    Returns
    -------
    PreTrainedTokenizerFast
        See `qgdr_pyserini.train.text_form` for how it spells and cuts.

    Raises
    ------
    QgdrError
        If the vocabulary is too small for the characters of the data.
    """
    counts = count_words(data, settings.lines_per_language, seed)
    known = english_pieces(english, data) if english is not None else {}
    if known:
        counts.pop(ENGLISH, None)
    pieces = _merge(known, _learn(counts, settings.size))
    pieces |= _whole_words(counts, pieces, settings.whole_words)
    return make_tokenizer([(piece, round(score, _DIGITS)) for piece, score in pieces.items()], max_length)


def _learn(counts: WordCounts, size: int) -> dict[str, float]:
    """Learn subwords with their log-probabilities.

    By sentencepiece in one thread: equal texts give equal subwords, which the trainer of tokenizers,
    whose tables are in an order of chance, does not.
    """
    learned = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=_repeated(counts),
            model_writer=learned,
            model_type="unigram",
            # Ours take the places of sentencepiece's own three.
            vocab_size=size - len(SPECIAL) + 3,
            hard_vocab_limit=False,  # little text gives fewer subwords, which is no reason to stop
            character_coverage=0.9998,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            add_dummy_prefix=False,
            num_threads=1,
            minloglevel=2,
        )
    except RuntimeError as error:
        reason = first_line(error)
        raise QgdrError(f"vocabulary of {size:,} subwords: {reason}; change vocabulary.size") from error
    model = sentencepiece.SentencePieceProcessor(model_proto=learned.getvalue())
    return {_with_mark(model.id_to_piece(i)): model.get_score(i) for i in range(3, model.get_piece_size())}


def _repeated(counts: WordCounts) -> Iterator[str]:
    for words in counts.values():
        for word, times in damped(words):
            for _ in range(times):
                yield _as_capital(word)


def _as_capital(word: str) -> str:
    """Write the word mark as a capital first letter, which no subword can be cut off from.

    Examples
    --------
    >>> _as_capital("▁elbe"), _with_mark("Elbe"), _with_mark(_as_capital("▁1981"))
    ('Elbe', '▁elbe', '▁1981')
    """
    first = word[1:2].upper()
    if word.startswith(WORD) and len(first) == 1 and first.lower() == word[1] != first:
        return first + word[2:]
    return word


def _with_mark(piece: str) -> str:
    return WORD + piece[0].lower() + piece[1:] if piece[0] != piece[0].lower() else piece


def _merge(known: dict[str, float], learned: dict[str, float]) -> dict[str, float]:
    merged = {piece: max(score, learned.get(piece, score)) for piece, score in known.items()}
    return merged | {piece: score for piece, score in learned.items() if piece not in merged}


def _whole_words(counts: WordCounts, pieces: dict[str, float], limit: int) -> dict[str, float]:
    """Find each language's most frequent words that the pieces would cut."""
    scored: list[Piece] = [(UNKNOWN, 0.0), *pieces.items()]
    tokenizer, found = Tokenizer(models.Unigram(scored, unk_id=0)), dict[str, float]()
    for words in counts.values():
        total = sum(words.values())
        new = (w for w in _frequent(words) if w not in pieces and w not in found)
        cut = [word for word in new if len(tokenizer.encode(word).ids) > 1][:limit]
        found |= {word: math.log(words[word] / total) - 2 for word in cut}
    return found


def _frequent(words: Counter[str]) -> Iterator[str]:
    for word, count in sorted(words.items(), key=lambda item: (-item[1], item[0])):
        if count < _RAREST_WHOLE_WORD:
            return
        if 2 <= len(word) <= _LONGEST_WHOLE_WORD:
            yield word
