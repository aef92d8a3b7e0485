"""A pruned encoder: smaller, and exact wherever no subword is missing."""

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from qgdr_pyserini.cli import main
from qgdr_pyserini.collection.jsonl import read_texts
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.config import EncoderConfig
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.pruning import PruningSettings, prune

USED = [
    "where does the danube rise",
    "wo entspringt die donau",
    "the river rises in the black forest",
    "多瑙河发源于哪里",
]
UNUSED = [
    "golden gate bridge golden gate bridge",
    "el puente dorado puente dorado",
    "мост золотые ворота мост",
]
SPECIALS = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
WORDS = sorted({word for text in USED for word in text.split()})


def unigram():
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=150, special_tokens=SPECIALS, unk_token="<unk>")
    tokenizer.train_from_iterator((USED + UNUSED) * 20, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer, {"cls_token": "<s>", "pad_token": "<pad>", "sep_token": "</s>", "unk_token": "<unk>"}


def wordpiece():
    tokenizer = Tokenizer(models.WordPiece(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.train_from_iterator(
        (USED + UNUSED) * 20, trainers.WordPieceTrainer(vocab_size=200, special_tokens=SPECIALS)
    )
    tokenizer.post_processor = processors.BertProcessing(("</s>", 2), ("<s>", 0))
    return tokenizer, {"cls_token": "<s>", "pad_token": "<pad>", "sep_token": "</s>", "unk_token": "<unk>"}


def byte_pairs():
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.train_from_iterator(USED, trainers.BpeTrainer(vocab_size=100, special_tokens=SPECIALS))
    return tokenizer, {"pad_token": "<pad>", "unk_token": "<unk>"}


def encoder_with(vocabulary):
    tokenizer, names = vocabulary()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=tokenizer, mask_token="<mask>", **names)
    torch.manual_seed(3)
    config = BertConfig(
        vocab_size=len(tokenizer) + 7,  # as XLM-R's tables are longer than their vocabularies
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        pad_token_id=1,
    )
    settings = EncoderConfig(query_prefix="wo ", query_max_length=32, passage_max_length=64)
    return DualEncoder(BertModel(config), tokenizer, settings).eval()


@pytest.fixture(scope="module", params=[unigram, wordpiece])
def pruned(request):
    whole = encoder_with(request.param)
    return whole, prune(whole, USED, PruningSettings())


def test_unused_subwords_are_gone_and_the_table_has_no_more_rows(pruned):
    whole, smaller = pruned
    assert len(smaller.tokenizer) < len(whole.tokenizer)
    assert smaller.model.get_input_embeddings().weight.shape[0] == len(smaller.tokenizer)
    assert smaller.model.config.vocab_size == len(smaller.tokenizer)
    assert smaller.model.config.pad_token_id == smaller.tokenizer.pad_token_id


def test_special_tokens_and_characters_stay(pruned):
    whole, smaller = pruned
    kept = smaller.tokenizer.get_vocab()
    assert set(SPECIALS) <= kept.keys()
    characters = {token for token in whole.tokenizer.get_vocab() if len(token) == 1}
    assert characters <= kept.keys()
    assert "з" in characters  # of a text that is not used


def test_used_texts_have_the_same_vectors(pruned):
    whole, smaller = pruned
    np.testing.assert_allclose(smaller.encode_passages(USED), whole.encode_passages(USED), atol=1e-6)
    np.testing.assert_allclose(smaller.encode_queries(USED), whole.encode_queries(USED), atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(words=st.lists(st.sampled_from([*WORDS, "golden", "donau?", "brigde", "з"]), min_size=1, max_size=8))
def test_a_text_that_is_cut_alike_has_the_same_vector(pruned, words):
    whole, smaller = pruned
    text = " ".join(words)
    before = whole.tokenizer.convert_ids_to_tokens(whole.passage_tokens([text])[0])
    after = smaller.tokenizer.convert_ids_to_tokens(smaller.passage_tokens([text])[0])
    if set(before) <= smaller.tokenizer.get_vocab().keys():
        assert after == before
    if after == before:
        ours, theirs = smaller.encode_passages([text]), whole.encode_passages([text])
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_the_first_subwords_are_kept_whatever_is_used():
    whole = encoder_with(unigram)
    smaller = prune(whole, [], PruningSettings(min_count=9, first=60))
    first = {token for token, number in whole.tokenizer.get_vocab().items() if number < 60}
    assert first <= smaller.tokenizer.get_vocab().keys()


def test_the_subwords_of_prefixes_are_kept(pruned):
    whole, _ = pruned
    smaller = prune(whole, ["donau"], PruningSettings(min_count=9))
    prefix = whole.config.query_prefix
    assert smaller.tokenizer.tokenize(prefix) == whole.tokenizer.tokenize(prefix)


def test_byte_pairs_are_refused():
    with pytest.raises(QgdrError, match="a vocabulary BPE cannot be pruned"):
        prune(encoder_with(byte_pairs), USED, PruningSettings())


def test_texts_are_values_of_json_lines_or_plain_lines(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"id": "1", "title": "Donau", "n": 3}\n', encoding="utf-8")
    (tmp_path / "b.txt").write_text("wo\nwer\n", encoding="utf-8")
    assert list(read_texts(tmp_path / "a.jsonl")) == ["1", "Donau"]
    assert list(read_texts(tmp_path / "b.txt")) == ["wo", "wer"]


def test_the_command_writes_an_encoder_that_loads(tmp_path):
    encoder_with(unigram).save_pretrained(tmp_path / "whole-qgdr")
    texts = tmp_path / "corpus.jsonl"
    texts.write_text("".join(json.dumps({"id": "1", "text": text}) + "\n" for text in USED), encoding="utf-8")
    arguments = ["encoders", "prune", f"qgdr:{tmp_path / 'whole-qgdr'}", "--texts", str(texts)]
    result = CliRunner().invoke(main, [*arguments, "--output", str(tmp_path / "small-qgdr")])
    assert result.exit_code == 0, result.output
    whole, smaller = (DualEncoder.from_pretrained(tmp_path / name) for name in ("whole-qgdr", "small-qgdr"))
    assert len(smaller.tokenizer) < len(whole.tokenizer)
    np.testing.assert_allclose(smaller.encode_queries(USED), whole.encode_queries(USED), atol=1e-6)
    again = CliRunner().invoke(main, [*arguments, "--output", str(tmp_path / "small-qgdr")])
    assert again.exit_code == 2
    assert "--overwrite" in again.output
