"""The dual encoder: one vector per text, whatever loads the folder and however texts are batched."""

import json

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer
from transformers import AutoModel, AutoTokenizer

from qgdr_pyserini.errors import InputError, QgdrError
from qgdr_pyserini.model.config import EncoderConfig
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.pooling import pool
from qgdr_pyserini.model.registry import find_encoder, named_encoders

TEXTS = ["donau", "where does the danube rise?", "中国 大人", "", "a" * 300]


@pytest.fixture(scope="module")
def encoder(tiny_encoder):
    return DualEncoder.from_pretrained(tiny_encoder)


def test_saved_folder_loads_in_sentence_transformers_with_equal_vectors(tiny_encoder, encoder):
    theirs = SentenceTransformer(str(tiny_encoder), device="cpu").encode(TEXTS)
    np.testing.assert_allclose(encoder.encode_passages(TEXTS), theirs, atol=1e-6)


def test_saved_folder_loads_in_automodel_with_equal_vectors(tiny_encoder, encoder):
    model, tokenizer = (
        AutoModel.from_pretrained(tiny_encoder).eval(),
        AutoTokenizer.from_pretrained(tiny_encoder),
    )
    features = tokenizer(TEXTS, padding=True, truncation=True, max_length=64, return_tensors="pt")
    with torch.no_grad():
        theirs = pool(model(**features)[0], features["attention_mask"], encoder.config)
    np.testing.assert_allclose(encoder.encode_passages(TEXTS), theirs.numpy(), atol=1e-6)


def test_half_precision_on_disk_is_read_back_as_single(tmp_path, encoder):
    encoder.save_pretrained(tmp_path / "half", torch.float16)
    again = DualEncoder.from_pretrained(tmp_path / "half")
    assert next(again.parameters()).dtype == torch.float32
    np.testing.assert_allclose(again.encode_queries(TEXTS), encoder.encode_queries(TEXTS), atol=5e-3)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(max_size=80), min_size=1, max_size=9), batch_size=st.integers(1, 4))
def test_vectors_do_not_depend_on_the_batch(encoder, texts, batch_size):
    together = encoder.encode_passages(texts, batch_size=batch_size)
    alone = np.concatenate([encoder.encode_passages([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert together.dtype == np.float32
    assert together.flags.c_contiguous


def test_titles_stand_before_the_text(encoder):
    with_title = encoder.encode_passages(["text", "text"], titles=["title", ""])
    np.testing.assert_allclose(with_title, encoder.encode_passages(["title\ntext", "text"]), atol=1e-6)


def test_queries_and_passages_are_cut_at_their_own_lengths(encoder):
    long = "ab " * 60
    assert encoder.tokenize([long], encoder.config.query_max_length)["input_ids"].shape == (1, 32)
    cut = encoder.encode_queries([long], max_length=8)
    assert not np.allclose(cut, encoder.encode_queries([long]), atol=1e-4)


def test_no_texts_give_no_vectors(encoder):
    assert encoder.encode_queries([]).shape == (0, encoder.dimension)


def test_fingerprint_tells_encoders_apart(tiny_encoder, encoder):
    assert DualEncoder.from_pretrained(tiny_encoder).fingerprint == encoder.fingerprint
    other = DualEncoder(encoder.model, encoder.tokenizer, EncoderConfig(pooling="cls"))
    assert other.fingerprint != encoder.fingerprint


def test_damaged_weights_are_one_error(tmp_path, encoder):
    encoder.save_pretrained(tmp_path / "damaged")
    (tmp_path / "damaged" / "model.safetensors").write_bytes(b"nonsense")
    with pytest.raises(QgdrError, match="cannot be loaded"):
        DualEncoder.from_pretrained(tmp_path / "damaged")


def test_unknown_device_is_an_error(tiny_encoder):
    with pytest.raises(QgdrError, match="device 'warp'"):
        DualEncoder.from_pretrained(tiny_encoder, device="warp")


def test_cls_pooling_takes_the_first_token():
    states = torch.arange(12.0).reshape(1, 3, 4)
    config = EncoderConfig(pooling="cls", normalize=False)
    assert pool(states, torch.ones(1, 3), config).tolist() == [[0.0, 1.0, 2.0, 3.0]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"pooling": "median"}', "pooling"),
        ('{"poolling": "cls"}', "did you mean 'pooling'"),
        ('{"query_max_length": "32"}', "query_max_length"),
        ("[1]", "dictionary"),
        ("{", "not JSON"),
        ('{"query_prefix": "\xe9"}', "not UTF-8"),
    ],
)
def test_wrong_settings_name_the_key(tmp_path, content, message):
    (tmp_path / "qgdr_config.json").write_text(content, encoding="latin-1")
    with pytest.raises(InputError, match=message):
        EncoderConfig.load(tmp_path)


def test_settings_survive_a_round_trip(tmp_path):
    config = EncoderConfig(pooling="cls", query_prefix="query: ", normalize=False)
    config.save(tmp_path)
    assert EncoderConfig.load(tmp_path) == config
    assert json.loads((tmp_path / "qgdr_config.json").read_text())["query_prefix"] == "query: "


def test_encoders_are_found_by_name_and_by_path(tmp_path, monkeypatch, tiny_encoder):
    place = tmp_path / "encoders" / "tiny-qgdr"
    place.parent.mkdir()
    place.symlink_to(tiny_encoder)
    monkeypatch.chdir(tmp_path)
    assert find_encoder("tiny-qgdr").samefile(tiny_encoder)
    assert find_encoder(f"qgdr:{tiny_encoder}") == tiny_encoder
    assert find_encoder(str(tiny_encoder)) == tiny_encoder
    assert "tiny-qgdr" in named_encoders()


@pytest.mark.parametrize("name", ["qgdr-nowhere", "qgdr:/nowhere", "no/such/path"])
def test_unknown_encoders_are_named(name):
    with pytest.raises(QgdrError, match=f"unknown encoder {name!r}"):
        find_encoder(name)


def test_a_folder_that_is_no_encoder_is_named(tmp_path):
    with pytest.raises(QgdrError, match="not an encoder"):
        find_encoder(f"qgdr:{tmp_path}")


def test_eight_bits_on_disk_load_everywhere_in_single_precision(encoder, tmp_path):
    encoder.save_pretrained(tmp_path / "small", torch.float8_e4m3fn)
    saved = load_file(tmp_path / "small" / "model.safetensors")
    kinds = {tensor.dtype for tensor in saved.values() if tensor.dim() > 1}
    assert kinds == {torch.float8_e4m3fn}
    assert {tensor.dtype for tensor in saved.values() if tensor.dim() == 1} <= {torch.float32, torch.int64}
    model = AutoModel.from_pretrained(tmp_path / "small")
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    texts = ["Wo entspringt die Donau?", "Where does the Danube rise?"]
    small = DualEncoder.from_pretrained(tmp_path / "small").encode_queries(texts)
    assert ((small * encoder.encode_queries(texts)).sum(axis=1) > 0.99).all()
