"""A multilingual subword vocabulary, learned from the training set."""

from __future__ import annotations

import io
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator

import sentencepiece
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from qgdr_pyserini.collection.training_set import TrainingSet, Translation
from qgdr_pyserini.errors import QgdrError, first_line

PAD, UNKNOWN, START, END, MASK = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"
_SPECIAL = [PAD, UNKNOWN, START, END, MASK]

# Between words while subwords are learned; no text holds it.
_BOUNDARY = "\x1f"

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

    Raises
    ------
    QgdrError
        If the vocabulary is too small for the characters of the data.
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
    lines = _words(_sample(data, lines_per_language, seed), tokenizer)
    tokenizer.model = models.Unigram(_learn(lines, size), unk_id=_SPECIAL.index(UNKNOWN))
    tokenizer.add_special_tokens(_SPECIAL)
    tokenizer.decoder = decoders.Metaspace()
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


def _words(lines: Iterable[str], tokenizer: Tokenizer) -> Iterator[str]:
    """Cut lines where no subword may reach across."""
    for line in lines:
        cut = tokenizer.pre_tokenizer.pre_tokenize_str(tokenizer.normalizer.normalize_str(line))
        yield _BOUNDARY.join(word for word, _ in cut)


def _learn(lines: Iterator[str], size: int) -> list[tuple[str, float]]:
    """Learn subwords with their log-probabilities, special tokens first.

    By sentencepiece in one thread: equal texts give equal subwords, which the trainer of tokenizers,
    whose tables are in an order of chance, does not.
    """
    learned = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=lines,
            model_writer=learned,
            model_type="unigram",
            # Ours take the places of sentencepiece's own three.
            vocab_size=size - len(_SPECIAL) + 3,
            hard_vocab_limit=False,  # little text gives fewer subwords, which is no reason to stop
            character_coverage=0.9998,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            add_dummy_prefix=False,
            pretokenization_delimiter=_BOUNDARY,
            num_threads=1,
            minloglevel=2,
        )
    except RuntimeError as error:
        reason = first_line(error)
        raise QgdrError(f"vocabulary of {size:,} subwords: {reason}; change vocabulary.size") from error
    model = sentencepiece.SentencePieceProcessor(model_proto=learned.getvalue())
    pieces = [(model.id_to_piece(i), model.get_score(i)) for i in range(3, model.get_piece_size())]
    return [*((token, 0.0) for token in _SPECIAL), *pieces]


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
