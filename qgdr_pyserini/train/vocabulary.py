"""A multilingual subword vocabulary, learned from the training set."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from qgdr_pyserini.collection.training_set import TrainingSet, Translation

PAD, UNKNOWN, START, END, MASK = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"
_SPECIAL = [PAD, UNKNOWN, START, END, MASK]

# Marks on Latin, Greek and Cyrillic letters; Arabic vowel signs and the stretching stroke.
# Marks of other scripts (Devanagari, Thai, kana) carry the word and stay.
_FOLDED_MARKS = "[\u0300-\u036f\u0640\u064b-\u0652]"


def learn_vocabulary(
    data: TrainingSet, size: int, lines_per_language: int, seed: int, max_length: int
) -> PreTrainedTokenizerFast:
    """Learn a unigram vocabulary over all languages of a training set.

    Text is compatibility-normalised, lower-cased and stripped of Latin and Arabic marks: what a
    small vocabulary loses in distinctions it gains in sharing names across languages.

    Parameters
    ----------
    data
        The training set.
    size
        Number of subwords, special tokens included.
    lines_per_language
        How many lines of each kind of text and language are looked at; English passages all are.
    seed
        Of that sample.
    max_length
        The tokenizer's default limit, in tokens.

    Returns
    -------
    PreTrainedTokenizerFast
        Texts become ``[CLS] subwords [SEP]``.
    """
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.NFKC(),
            normalizers.Lowercase(),
            normalizers.NFD(),
            normalizers.Replace(Regex(_FOLDED_MARKS), ""),
            normalizers.NFC(),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(), pre_tokenizers.Punctuation(), pre_tokenizers.Digits()]
    )
    trainer = trainers.UnigramTrainer(
        vocab_size=size, special_tokens=_SPECIAL, unk_token=UNKNOWN, show_progress=False
    )
    tokenizer.train_from_iterator(_sample(data, lines_per_language, seed), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}",
        pair=f"{START} $A {END} $B:1 {END}:1",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in (START, END)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=max_length,
        pad_token=PAD,
        unk_token=UNKNOWN,
        cls_token=START,
        sep_token=END,
        mask_token=MASK,
    )


def _sample(data: TrainingSet, lines: int, seed: int) -> Iterator[str]:
    rng = random.Random(seed)
    for passage in data.passages.values():
        yield passage.contents
    # Passages and English queries are English enough: the English sides of translations, many of
    # them repeated in every language, would crowd out the other languages.
    queries = [Translation(row.lang, row.query, "", row.source) for row in data.queries]
    for rows in (queries, data.questions, data.sentences, data.lexicon, data.names):
        yield from _sample_by_language(rows, lines, rng)


def _sample_by_language(rows: Iterable[Translation], lines: int, rng: random.Random) -> Iterator[str]:
    by_language: dict[str, list[Translation]] = defaultdict(list)
    for row in rows:
        by_language[row.lang].append(row)
    for _, group in sorted(by_language.items()):
        for row in rng.sample(group, min(lines, len(group))):
            yield row.text
