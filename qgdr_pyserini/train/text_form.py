"""How text is spelled and cut into words before subwords are looked up."""

from __future__ import annotations

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

PAD, UNKNOWN, START, END, MASK = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"
SPECIAL = [PAD, UNKNOWN, START, END, MASK]

WORD = "▁"
"""Stands before a word of a script with upper and lower case, and before a number."""

# Arabic vowel signs and the stretching stroke, Hebrew vowel signs, the stress mark of Russian dictionaries.
# Marks on Latin letters stay: Vietnamese has words that nothing else tells apart.
_OPTIONAL_MARKS = r"[\u0640\u064b-\u0652\u0670\u0591-\u05c7]|(?<=\p{Cyrillic})\u0301"
_SAME_LETTERS = (("[أإآٱ]", "ا"), ("ى", "ي"), ("ة", "ه"), ("ё", "е"))
_CASED = r"\p{Latin}\p{Greek}\p{Cyrillic}\p{N}"

Piece = tuple[str, float]
"""A subword and its log-probability."""


def normalizer() -> normalizers.Normalizer:
    """Make what spells text evenly: compatibility forms, lower case, optional marks off, words marked.

    Scripts without case take no word mark: a word there is often written without spaces around it, and
    a vocabulary that has every subword with and without the mark wastes half of itself.

    Examples
    --------
    >>> normalizer().normalize_str("L'Élysée (1981), 在1981年")
    "▁l'▁élysée (▁1981), 在▁1981年"
    """
    return normalizers.Sequence(
        [
            normalizers.NFKC(),
            normalizers.Lowercase(),
            normalizers.Replace(Regex(_OPTIONAL_MARKS), ""),
            *(normalizers.Replace(Regex(letters), one) for letters, one in _SAME_LETTERS),
            normalizers.Replace(Regex(rf"(?<![{_CASED}\p{{M}}])(?=[{_CASED}])"), WORD),
        ]
    )


def pre_tokenizer() -> pre_tokenizers.PreTokenizer:
    """Make what cuts text where no subword reaches across: at spaces, word marks and punctuation."""
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Split(WORD, "merged_with_next"),
            pre_tokenizers.Punctuation(),
        ]
    )


def make_tokenizer(pieces: list[Piece], max_length: int) -> PreTrainedTokenizerFast:
    """Put a vocabulary into a tokenizer: texts become ``[CLS] subwords [SEP]``.

    Parameters
    ----------
    pieces
        Subwords with their log-probabilities, without the special tokens.
    max_length
        The tokenizer's default limit, in tokens.
    """
    scored = [*((token, 0.0) for token in SPECIAL), *pieces]
    tokenizer = Tokenizer(models.Unigram(scored, unk_id=SPECIAL.index(UNKNOWN)))
    tokenizer.normalizer = normalizer()
    tokenizer.pre_tokenizer = pre_tokenizer()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.add_special_tokens(SPECIAL)
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
