"""Vectors in 8-bit integers: how near they are to fp32, and how the layers that take part are chosen."""

import json
import shutil

import numpy as np
import pytest
import torch

from qgdr_pyserini.collection.corpus import Passage, write_corpus
from qgdr_pyserini.encode.encode_corpus import encode_corpus
from qgdr_pyserini.encode.journal import Journal
from qgdr_pyserini.encode.manifest import IndexManifest
from qgdr_pyserini.encode.merge import merge_shards
from qgdr_pyserini.encode.options import EncodingOptions, Shard
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.inference import int8, quantization
from qgdr_pyserini.model.inference.int8 import Int8Linear, quantize_weight, weight_bits
from qgdr_pyserini.model.inference.packing import PackedLinear
from qgdr_pyserini.model.inference.precision import set_precision
from qgdr_pyserini.model.inference.quantization import Quantization, calibrate

PASSAGES = [Passage(f"p{i}", "Danube", f"the river number {i} is {i * i} miles long") for i in range(60)]
TEXTS = [one.text for one in PASSAGES]
VALUE = "encoder.layer.*.attention.self.value"
OPTIONS = EncodingOptions(device="cpu", batch_tokens=400, window=16, precision="int8")


@pytest.fixture
def encoder(tiny_encoder):
    return DualEncoder.from_pretrained(tiny_encoder)


@pytest.fixture
def corpus(tmp_path):
    write_corpus(tmp_path / "corpus.jsonl", PASSAGES)
    return tmp_path / "corpus.jsonl"


@pytest.mark.parametrize("bits", [7, 8])
def test_every_output_channel_has_a_scale_of_its_own(bits):
    weight = torch.randn(4, 50) * torch.tensor([[1e-3], [1.0], [1e3], [0.0]])
    codes, scale = quantize_weight(weight, bits)
    assert codes.abs().amax(1).tolist() == [2 ** (bits - 1) - 1] * 3 + [0]
    error = (codes * scale[:, None] - weight).abs().amax(1)
    assert (error <= scale / 2 * 1.001).all()


def test_a_token_is_rounded_by_itself():
    layer = Int8Linear(torch.nn.Linear(40, 8), weight_bits())
    states = torch.randn(5, 7, 40)
    states[0] *= 1000
    together = layer(states)
    assert together.shape == (5, 7, 8)
    torch.testing.assert_close(layer(states[3:4, 2:3]), together[3:4, 2:3], atol=0, rtol=0)


@pytest.mark.parametrize("gelu", [False, True])
@pytest.mark.parametrize("bits", [7, 8])
def test_a_layer_is_near_the_one_it_replaces(bits, gelu):
    torch.manual_seed(3)
    linear = torch.nn.Linear(384, 64)
    states = torch.randn(20, 384) + 3
    exact = torch.nn.functional.gelu(linear(states)) if gelu else linear(states)
    if bits == 8 and int8.weight_bits() == 7:
        pytest.skip("NO VNNI: weights of 8 bits overflow in this processor's products; 7 bits are tested")
    found = Int8Linear(linear, bits, gelu)(states)
    assert (found - exact).norm() < 0.02 * exact.norm()


def test_a_token_that_is_constant_and_a_layer_without_bias():
    linear = torch.nn.Linear(4, 2, bias=False)
    states = torch.full((1, 4), 0.5)
    torch.testing.assert_close(Int8Linear(linear, 7)(states), linear(states), atol=0.05, rtol=0)


@pytest.mark.parametrize(("precision", "least"), [("fp32", 0.99999), ("bf16", 0.9999), ("int8", 0.9995)])
def test_cosine_with_fp32(precision, least, encoder):
    exact = encoder.encode_passages(TEXTS)
    set_precision(encoder, precision)
    assert (exact * encoder.encode_passages(TEXTS)).sum(axis=1).min() > least


def test_layers_that_are_kept_compute_in_fp32(encoder):
    set_precision(encoder, "int8", Quantization(weight_bits(), (VALUE,)))
    attention = encoder.model.encoder.layer[1].attention.self
    assert isinstance(attention.value, PackedLinear)
    assert isinstance(attention.key, Int8Linear)


def test_nothing_is_kept_where_the_loss_is_small_and_the_encoder_stays_as_it_is(encoder):
    tokens = encoder.passage_tokens(TEXTS[:8])
    before = encoder.encode_tokens(tokens)
    found, loss = calibrate(encoder, tokens)
    assert found == Quantization(weight_bits())
    assert 0 < loss < quantization.LARGEST_LOSS
    np.testing.assert_array_equal(encoder.encode_tokens(tokens), before)


def test_what_costs_most_is_kept_until_the_loss_is_small(encoder, monkeypatch):
    tokens = encoder.passage_tokens(TEXTS[:8])
    _, everything = calibrate(encoder, tokens)
    monkeypatch.setattr(quantization, "LARGEST_LOSS", everything * 0.95)
    found, loss = calibrate(encoder, tokens)
    assert found.kept
    assert loss <= everything * 0.95


def test_where_the_loss_stays_large_int8_is_not_offered(tiny_encoder, corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(quantization, "LARGEST_LOSS", 0.0)
    with pytest.raises(
        QgdrError, match=r"changes this encoder's vectors too much here.* choose bf16 or fp32"
    ):
        encode_corpus(corpus, tmp_path / "index", str(tiny_encoder), options=OPTIONS)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == []


def test_where_sums_overflow_weights_have_fewer_bits_or_int8_is_refused(encoder, monkeypatch):
    monkeypatch.setattr(int8, "is_exact", lambda bits: bits < 8)
    assert weight_bits() == 7
    monkeypatch.setattr(int8, "is_exact", lambda bits: False)
    with pytest.raises(QgdrError, match="does not multiply 8-bit integers here"):
        weight_bits()
    monkeypatch.setattr("qgdr_pyserini.model.inference.precision.is_exact", lambda bits: False)
    with pytest.raises(QgdrError, match="weights of 8 bits overflow"):
        set_precision(encoder, "int8", Quantization(8))


def keep_values(monkeypatch):
    """Have the values kept, whatever is measured, and count how often it is."""
    calls = []

    def calibrated(model, tokens):
        calls.append(len(tokens))
        return Quantization(weight_bits(), (VALUE,)), 0.0001

    monkeypatch.setattr("qgdr_pyserini.encode.encode_corpus.calibrate", calibrated)
    return calls


def test_what_is_kept_is_told_and_stored_with_the_index(tiny_encoder, corpus, tmp_path, monkeypatch):
    calls, said = keep_values(monkeypatch), []
    encode_corpus(corpus, tmp_path / "index", str(tiny_encoder), options=OPTIONS, tell=said.append)
    assert calls == [16]
    assert said == [
        f"precision int8: in fp32 stays {VALUE}; mean cosine with fp32 0.9999 on the first 16 passages"
    ]
    stored = json.loads((tmp_path / "index" / "qgdr.json").read_text())
    assert stored["quantization"] == {"weight_bits": weight_bits(), "kept": [VALUE]}
    assert IndexManifest.read(tmp_path / "index").quantization == stored["quantization"]


def stopped(monkeypatch, *arguments):
    """Encode a corpus until its third window."""
    append = Journal.append

    def fail(self, *window):
        if len(self.windows) == 2:
            raise KeyboardInterrupt
        append(self, *window)

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "append", fail)
        with pytest.raises(KeyboardInterrupt):
            encode_corpus(*arguments, options=OPTIONS)


def test_what_is_kept_is_read_again_where_the_work_goes_on(tiny_encoder, corpus, tmp_path, monkeypatch):
    calls = keep_values(monkeypatch)
    encode_corpus(corpus, tmp_path / "whole", str(tiny_encoder), options=OPTIONS)
    stopped(monkeypatch, corpus, tmp_path / "index", str(tiny_encoder))
    encode_corpus(corpus, tmp_path / "index", str(tiny_encoder), options=OPTIONS, resume=True)
    assert len(calls) == 2
    for name in ("index", "docid", "qgdr.json"):
        assert (tmp_path / "index" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_work_begun_in_the_earlier_int8_is_refused_and_stays(tiny_encoder, corpus, tmp_path, monkeypatch):
    stopped(monkeypatch, corpus, tmp_path / "index", str(tiny_encoder))
    journal = tmp_path / "index.partial" / "journal.jsonl"
    first, *rest = journal.read_text().splitlines(keepends=True)
    job = {key: value for key, value in json.loads(first).items() if key != "quantization"}
    journal.write_text("".join([json.dumps(job) + "\n", *rest]))
    before = journal.read_bytes()
    with pytest.raises(QgdrError, match=r"begun in the int8 of an earlier version.* --overwrite"):
        encode_corpus(corpus, tmp_path / "index", str(tiny_encoder), options=OPTIONS, resume=True)
    assert journal.read_bytes() == before


def test_a_manifest_from_before_is_read(tiny_encoder, corpus, tmp_path):
    encode_corpus(corpus, tmp_path / "index", str(tiny_encoder), options=OPTIONS)
    path = tmp_path / "index" / "qgdr.json"
    content = json.loads(path.read_text())
    del content["quantization"]
    path.write_text(json.dumps(content))
    manifest = IndexManifest.read(tmp_path / "index")
    assert (manifest.precision, manifest.quantization) == ("int8", None)


def test_shards_are_measured_on_the_same_passages_and_have_to_agree(tiny_encoder, corpus, tmp_path):
    shards = [tmp_path / "1", tmp_path / "2"]
    for number, place in enumerate(shards, 1):
        part = EncodingOptions("cpu", None, 400, 16, precision="int8", shard=Shard(number, 2))
        encode_corpus(corpus, place, str(tiny_encoder), options=part)
    assert merge_shards(tmp_path / "merged", shards).quantization == {
        "weight_bits": weight_bits(),
        "kept": [],
    }
    other = shutil.copytree(shards[1], tmp_path / "other")
    content = json.loads((other / "qgdr.json").read_text())
    changed = content | {"quantization": {"weight_bits": 7, "kept": [VALUE]}}
    (other / "qgdr.json").write_text(json.dumps(changed))
    with pytest.raises(QgdrError, match="another quantization than"):
        merge_shards(tmp_path / "again", [shards[0], other])
