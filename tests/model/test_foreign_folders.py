"""Folders of other makes: what they say, what is guessed, and what cannot be used."""

import copy
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from foreign_encoders import (
    WIDTH,
    assert_close,
    bare_transformer,
    edit,
    saved_by_sentence_transformers,
)
from sentence_transformers import SentenceTransformer
from sentence_transformers.models import Dense, Normalize
from transformers import BertConfig, BertForMaskedLM, Qwen2Config, Qwen2ForCausalLM

from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.config import EncoderOptions
from qgdr_pyserini.model.dual_encoder import DualEncoder

TEXTS = ["donau", "where does the danube rise?", "A" * 300, ""]
PROMPTS = {"query": "query: ", "passage": "passage: "}
PROMPTS_FILE = "config_sentence_transformers.json"
THEIRS = "sentence_transformers.models"


def dense():
    torch.manual_seed(5)
    return Dense(WIDTH, 16)


@pytest.fixture(scope="module")
def bare(tmp_path_factory, tiny_encoder) -> Path:
    return bare_transformer(tmp_path_factory.mktemp("bare") / "bare", tiny_encoder)


def test_a_bare_transformer_is_taken_as_sentence_transformers_takes_it_and_says_so(bare):
    ours = DualEncoder.from_pretrained(bare)
    assert_close(ours.encode_passages(TEXTS), SentenceTransformer(str(bare), device="cpu").encode(TEXTS))
    assert ours.left_open == {"pooling", "normalize", "query_prefix", "passage_prefix"}
    (guess,) = ours.guesses
    assert guess.startswith(f"{bare}: says nothing of how")
    assert "guessed: pooling mean (--pooling), vectors as they are (--normalize)" in guess


def test_a_language_model_is_pooled_by_its_last_token(tmp_path, tiny_encoder):
    folder = bare_transformer(tmp_path / "bare", tiny_encoder, "qwen2", padding_side="left")
    Qwen2ForCausalLM(Qwen2Config.from_pretrained(folder)).save_pretrained(folder)
    ours = DualEncoder.from_pretrained(folder)
    assert ours.config.pooling == "lasttoken"
    assert_close(ours.encode_passages(TEXTS), SentenceTransformer(str(folder), device="cpu").encode(TEXTS))


def test_of_an_encoder_and_a_decoder_the_encoder_is_taken(tmp_path, tiny_encoder):
    folder = bare_transformer(tmp_path / "bare", tiny_encoder, "t5")
    ours = DualEncoder.from_pretrained(folder)
    assert_close(ours.encode_passages(TEXTS), SentenceTransformer(str(folder), device="cpu").encode(TEXTS))


def test_options_settle_what_a_folder_leaves_open(bare):
    options = EncoderOptions("cls", True, "query: ", "passage: ")
    ours = DualEncoder.from_pretrained(bare, options=options)
    assert (ours.left_open, ours.guesses) == (frozenset(), ())
    plain = DualEncoder.from_pretrained(bare, options=EncoderOptions("cls", True))
    assert_close(ours.encode_queries(["donau"]), plain.encode_queries(["query: donau"]))
    assert_close(ours.encode_passages(["donau"]), plain.encode_queries(["passage: donau"]))
    np.testing.assert_allclose(np.linalg.norm(ours.encode_queries(TEXTS), axis=1), 1, atol=1e-6)


def test_an_option_that_contradicts_the_folder_is_refused(tmp_path, bare, tiny_encoder):
    saved_by_sentence_transformers(tmp_path / "saved", bare, layers=[Normalize()], prompts=PROMPTS)
    for options, message in [
        (EncoderOptions(pooling="cls"), "say pooling 'mean'; leave out --pooling"),
        (EncoderOptions(normalize=False), "say normalize True; leave out --no-normalize"),
        (EncoderOptions(query_prefix="Q: "), "say query prefix 'query: '; leave out --query-prefix"),
    ]:
        with pytest.raises(QgdrError, match=message):
            DualEncoder.from_pretrained(tmp_path / "saved", options=options)
    with pytest.raises(QgdrError, match="say pooling 'mean'; leave out --pooling"):
        DualEncoder.from_pretrained(tiny_encoder, options=EncoderOptions(pooling="max"))
    DualEncoder.from_pretrained(tmp_path / "saved", options=EncoderOptions("mean", True, "query: "))


def test_a_language_model_without_a_pooler_is_the_same_encoder_every_time(tmp_path, bare):
    shutil.copytree(bare, tmp_path / "mlm")
    BertForMaskedLM(BertConfig.from_pretrained(bare)).save_pretrained(tmp_path / "mlm")
    one, other = (DualEncoder.from_pretrained(tmp_path / "mlm") for _ in range(2))
    assert one.fingerprint == other.fingerprint
    assert one.model.pooler is None


def test_a_copy_has_the_fingerprint_of_the_original(bare):
    encoder = DualEncoder.from_pretrained(bare)
    fingerprint = encoder.fingerprint
    assert copy.deepcopy(encoder).fingerprint == fingerprint


def test_a_tokenizer_without_special_tokens_or_padding_takes_empty_texts(tmp_path, bare, tiny_encoder):
    folder = bare_transformer(tmp_path / "bare", tiny_encoder, "gpt2")
    edit(folder / "tokenizer.json", lambda content: content.update(post_processor=None))
    edit(folder / "tokenizer_config.json", lambda content: content.pop("pad_token"))
    encoder = DualEncoder.from_pretrained(folder)
    assert encoder.tokenizer.pad_token_id is None
    vectors = encoder.encode_queries(["", "donau", ""])
    assert np.isfinite(vectors).all()
    theirs = SentenceTransformer(str(folder), device="cpu")
    theirs.tokenizer.pad_token = "[UNK]"
    assert_close(vectors[1:2], theirs.encode(["donau"]))


def test_texts_are_put_in_lower_case_where_the_folder_says_so(tmp_path, bare):
    shutil.copytree(bare, tmp_path / "cased")
    edit(tmp_path / "cased" / "tokenizer.json", lambda content: content.update(normalizer=None))
    saved_by_sentence_transformers(tmp_path / "saved", tmp_path / "cased")
    edit(tmp_path / "saved" / "sentence_bert_config.json", lambda content: content.update(do_lower_case=True))
    theirs = SentenceTransformer(str(tmp_path / "saved"), device="cpu")
    ours = DualEncoder.from_pretrained(tmp_path / "saved")
    assert_close(ours.encode_queries(["DonAU"]), theirs.encode(["DonAU"]))
    assert_close(ours.encode_queries(["DonAU"]), ours.encode_queries(["donau"]))


def test_questions_and_passages_may_have_lengths_of_their_own(tmp_path, bare):
    saved_by_sentence_transformers(tmp_path / "saved", bare)
    lengths = {"query_length": 8, "document_length": 20, "max_seq_length": 40}
    edit(tmp_path / "saved" / "sentence_bert_config.json", lambda content: content.update(lengths))
    config = DualEncoder.from_pretrained(tmp_path / "saved").config
    assert (config.query_max_length, config.passage_max_length) == (8, 20)


def test_vectors_are_truncated_where_the_folder_says_so(tmp_path, bare):
    saved_by_sentence_transformers(tmp_path / "saved", bare, layers=[Normalize()])
    edit(tmp_path / "saved" / PROMPTS_FILE, lambda content: content.update(truncate_dim=12))
    ours = DualEncoder.from_pretrained(tmp_path / "saved")
    assert ours.dimension == 12
    assert_close(
        ours.encode_queries(TEXTS), SentenceTransformer(str(tmp_path / "saved"), device="cpu").encode(TEXTS)
    )


@pytest.mark.parametrize("layout", ["flags", "sub-folder"])
def test_older_layouts_are_read(tmp_path, bare, layout):
    folder = tmp_path / "saved"
    saved_by_sentence_transformers(folder, bare, "cls")
    if layout == "flags":
        flags = {"word_embedding_dimension": WIDTH, "pooling_mode_cls_token": True}
        (folder / "1_Pooling" / "config.json").write_text(json.dumps(flags))
    else:
        (folder / "0_Transformer").mkdir()
        for file in bare.iterdir():
            shutil.copy(file, folder / "0_Transformer")
            (folder / file.name).unlink()
        edit(folder / "modules.json", lambda content: content[0].update(path="0_Transformer"))
    ours = DualEncoder.from_pretrained(folder)
    assert_close(ours.encode_queries(TEXTS), SentenceTransformer(str(folder), device="cpu").encode(TEXTS))


def test_cosines_without_unit_length_and_prompts_for_other_tasks_are_pointed_out(tmp_path, bare):
    saved_by_sentence_transformers(tmp_path / "saved", bare, prompts={"clustering": "cluster: "})
    cosine, prompts = DualEncoder.from_pretrained(tmp_path / "saved").guesses
    assert "--normalize makes both the same" in cosine
    assert "prompts for other tasks (clustering)" in prompts
    settled = EncoderOptions(normalize=True, query_prefix="", passage_prefix="cluster: ")
    assert DualEncoder.from_pretrained(tmp_path / "saved", options=settled).guesses == ()


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        (
            "modules.json",
            lambda c: c.append(c[0] | {"type": f"{THEIRS}.CNN"}),
            "module 3, CNN, cannot be",
        ),
        (
            "modules.json",
            lambda c: c[0].update(type=f"{THEIRS}.StaticEmbedding"),
            "module 0, Static",
        ),
        (
            "modules.json",
            lambda c: c[1].update(type="custom_st.Pooling"),
            "'custom_st.Pooling' is code",
        ),
        ("modules.json", lambda c: c[1].update(path="../1_Pooling"), "leads out of the folder"),
        ("modules.json", lambda c: c.__delitem__(slice(1, 3)), "has no Pooling"),
        ("modules.json", lambda c: c[0].pop("path"), "a module needs 'type' and 'path'"),
        ("1_Pooling/config.json", lambda c: c.update(pooling_mode="mean_sqrt_len_tokens"), "mean_sqrt_len"),
        ("1_Pooling/config.json", lambda c: c.update(pooling_mode=["cls", "mean"]), "by cls and mean"),
        ("1_Pooling/config.json", lambda c: c.update(include_prompt=False), "include_prompt"),
        ("2_Dense/config.json", lambda c: c.update(activation_function="os.system"), "'os.system' cannot"),
        ("2_Dense/config.json", lambda c: c.update(out_features=7), "model.safetensors: cannot be loaded"),
        ("2_Dense/config.json", lambda c: c.update(out_features="7"), "needs 'out_features'"),
        ("2_Dense/config.json", lambda c: c.update(use_residual=True), "use_residual"),
        ("2_Dense/config.json", lambda c: c.update(module_input_name="token_embeddings"), "token_embeddings"),
        (
            "sentence_bert_config.json",
            lambda c: c.update(max_seq_length="50"),
            "max_seq_length: needs",
        ),
        ("sentence_bert_config.json", lambda c: c.update(transformer_task="fill-mask"), "'fill-mask' cannot"),
        ("sentence_bert_config.json", lambda c: c.update(config_args={"a": 1}), "config_args"),
        (
            "config_sentence_transformers.json",
            lambda c: c.update(prompts={"query": 1}),
            "prompts: needs",
        ),
        (
            "config_sentence_transformers.json",
            lambda c: c.update(model_type="SparseEncoder"),
            "SparseEncoder",
        ),
        (PROMPTS_FILE, lambda c: c.update(truncate_dim=0), "truncate_dim"),
        ("config.json", lambda c: c.update(model_type="own", auto_map={}), "code of its own"),
        ("config.json", lambda c: c.update(model_type="clip"), "cannot be loaded as an encoder"),
        ("config.json", lambda c: c.update(num_hidden_layers=3), "its weights lack encoder.layer.2"),
    ],
)
def test_what_cannot_be_used_is_one_line_that_names_it(tmp_path, bare, file, change, message):
    saved_by_sentence_transformers(tmp_path / "saved", bare, layers=[dense()])
    edit(tmp_path / "saved" / file, change)
    with pytest.raises(QgdrError, match=re.escape(message)) as caught:
        DualEncoder.from_pretrained(tmp_path / "saved")
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("place", [".", "2_Dense"])
def test_pickled_weights_are_not_opened(tmp_path, bare, place):
    saved_by_sentence_transformers(tmp_path / "saved", bare, layers=[dense()])
    weights = tmp_path / "saved" / place / "model.safetensors"
    weights.rename(weights.with_name("pytorch_model.bin"))
    with pytest.raises(QgdrError, match=r"pickled \(pytorch_model.bin\).* save it again as safetensors"):
        DualEncoder.from_pretrained(tmp_path / "saved")


def test_an_adapter_and_a_damaged_file_are_refused(tmp_path, bare):
    shutil.copytree(bare, tmp_path / "adapter")
    (tmp_path / "adapter" / "adapter_config.json").write_text("{}")
    with pytest.raises(QgdrError, match="an adapter; merge it"):
        DualEncoder.from_pretrained(tmp_path / "adapter")
    shutil.copytree(bare, tmp_path / "damaged")
    (tmp_path / "damaged" / "model.safetensors").write_bytes(b"nonsense")
    with pytest.raises(QgdrError, match="cannot be loaded as an encoder"):
        DualEncoder.from_pretrained(tmp_path / "damaged")
    (tmp_path / "damaged" / "config.json").write_text("{")
    with pytest.raises(QgdrError, match=r"config.json:1: not JSON"):
        DualEncoder.from_pretrained(tmp_path / "damaged")


def test_layers_behind_pooling_are_not_saved(tmp_path, bare):
    saved_by_sentence_transformers(tmp_path / "saved", bare, layers=[dense()])
    with pytest.raises(QgdrError, match=r"layers behind pooling \(Dense\), which are not saved"):
        DualEncoder.from_pretrained(tmp_path / "saved").save_pretrained(tmp_path / "again")


def test_without_them_a_foreign_encoder_is_saved_as_one_of_ours(tmp_path, bare):
    options = EncoderOptions(pooling="weightedmean", normalize=True)
    encoder = DualEncoder.from_pretrained(bare, options=options)
    encoder.save_pretrained(tmp_path / "ours")
    again = DualEncoder.from_pretrained(tmp_path / "ours")
    assert again.fingerprint == encoder.fingerprint
    theirs = SentenceTransformer(str(tmp_path / "ours"), device="cpu")
    assert_close(again.encode_queries(TEXTS), theirs.encode(TEXTS))
