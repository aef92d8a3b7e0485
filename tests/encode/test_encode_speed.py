"""What makes encoding fast must not change what comes out of it."""

import itertools
import threading

import numpy as np
import pytest
import torch
from test_encode_corpus import passage
from transformers import BertConfig, BertModel

from qgdr_pyserini.collection.corpus import write_corpus
from qgdr_pyserini.encode.encode_corpus import encode_corpus
from qgdr_pyserini.encode.options import EncodingOptions
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.inference import packing
from qgdr_pyserini.model.inference.batching import BatchEncoder
from qgdr_pyserini.model.inference.devices import encode_passages
from qgdr_pyserini.model.inference.packing import pack
from qgdr_pyserini.model.inference.precision import choose_precision, lay_out, set_precision
from qgdr_pyserini.model.inference.prefetch import prefetch

TEXTS = [passage(number).text for number in range(40)]


@pytest.fixture
def encoder(tiny_encoder):
    return DualEncoder.from_pretrained(tiny_encoder)


def ignore(count):
    pass


def test_working_ahead_keeps_the_order_and_ends_its_thread():
    with prefetch(range(100), depth=2) as numbers:
        assert list(numbers) == list(range(100))
    assert "qgdr-prefetch" not in [thread.name for thread in threading.enumerate()]


def test_working_ahead_stops_when_its_user_does():
    with prefetch(itertools.count(), depth=2) as numbers:
        assert next(numbers) == 0
    assert "qgdr-prefetch" not in [thread.name for thread in threading.enumerate()]


def test_an_error_ahead_is_raised_after_the_items_before_it():
    def items():
        yield 1
        raise QgdrError("line 2 is bad")

    with prefetch(items()) as found:
        assert next(found) == 1
        with pytest.raises(QgdrError, match="line 2 is bad"):
            next(found)


def test_padding_and_batching_change_no_vector(encoder):
    tokens = encoder.passage_tokens(TEXTS)
    alone = np.concatenate([encoder.encode_tokens([text]) for text in tokens])
    np.testing.assert_allclose(BatchEncoder(encoder, 300).encode(tokens, ignore), alone, atol=1e-6)
    np.testing.assert_allclose(encoder.encode_passages(TEXTS), alone, atol=1e-6)


def test_a_stream_of_passages_is_encoded_as_the_encoder_encodes_them(encoder):
    passages = [passage(number) for number in range(40)]
    expected = encoder.encode_passages([one.text for one in passages], [one.title for one in passages])
    np.testing.assert_allclose(encode_passages([encoder], iter(passages)), expected, atol=1e-6)
    assert encode_passages([encoder], []).shape == (0, encoder.dimension)


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("you can't allocate memory: 9 bytes")],
)
def test_out_of_memory_halves_the_batch_and_loses_nothing(error, encoder, monkeypatch):
    tokens = encoder.passage_tokens(TEXTS)
    expected = BatchEncoder(encoder, 10**6).encode(tokens, ignore)
    encode, sizes = DualEncoder.encode_tokens, []

    def short_of_memory(self, batch):
        sizes.append(len(batch))
        if len(batch) > 10:
            raise error
        return encode(self, batch)

    monkeypatch.setattr(DualEncoder, "encode_tokens", short_of_memory)
    computing = BatchEncoder(encoder, 10**6)
    np.testing.assert_allclose(computing.encode(tokens, ignore), expected, atol=1e-6)
    assert sizes[0] == 40
    assert computing.batch_tokens <= 20 * max(map(len, tokens))


def test_memory_short_of_one_passage_is_told(encoder, monkeypatch):
    def never(self, batch):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(DualEncoder, "encode_tokens", never)
    with pytest.raises(QgdrError, match="memory is short of one passage of 64 tokens"):
        BatchEncoder(encoder, 100).encode([list(range(64))], ignore)


def test_other_runtime_errors_pass(encoder, monkeypatch):
    def broken(self, batch):
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(DualEncoder, "encode_tokens", broken)
    with pytest.raises(RuntimeError, match="shapes"):
        BatchEncoder(encoder, 100).encode([[1, 2]], ignore)


@pytest.mark.parametrize(("precision", "tolerance"), [("bf16", 0.02), ("int8", 0.05)])
def test_reduced_precision_is_close(precision, tolerance, encoder):
    tokens = encoder.passage_tokens(TEXTS)
    exact = encoder.encode_tokens(tokens)
    set_precision(encoder, precision)
    vectors = encoder.encode_tokens(tokens)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, exact, atol=tolerance)
    assert np.abs(vectors - exact).max() > 1e-6


def test_auto_chooses_by_measurement_and_says_so(tiny_encoder, tmp_path):
    write_corpus(tmp_path / "corpus.jsonl", map(passage, range(5)))
    said = []
    options = EncodingOptions(device="cpu")
    encode_corpus(
        tmp_path / "corpus.jsonl", tmp_path / "index", str(tiny_encoder), options=options, tell=said.append
    )
    assert len(said) == 1
    assert said[0].startswith(("precision bf16: bf16 matrix", "precision fp32: bf16 matrix"))


def test_auto_leaves_an_encoder_without_layers_alone(encoder):
    encoder.model.config.num_hidden_layers = 0
    assert choose_precision("auto", encoder)[0] == "fp32"


def test_fp16_is_for_gpus(encoder):
    with pytest.raises(QgdrError, match="fp16 needs a GPU"):
        choose_precision("fp16", encoder)


@pytest.mark.parametrize("packable", [True, False])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 0.1)])
@pytest.mark.parametrize("activation", ["gelu", "relu"])
def test_packed_layers_compute_the_same(activation, dtype, tolerance, packable, monkeypatch):
    if not packable:
        monkeypatch.setattr(packing, "can_pack", lambda dtype: False)
    config = BertConfig(
        vocab_size=50, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64
    )
    config.hidden_act = activation
    torch.manual_seed(2)
    model = BertModel(config, add_pooling_layer=False).eval()
    ids = torch.randint(0, 50, (3, 7))
    with torch.inference_mode():
        expected = model(input_ids=ids)[0]
        pack(model, dtype)
        plain = [module for module in model.modules() if isinstance(module, torch.nn.Linear)]
        assert bool(plain) == (dtype == torch.float32 and not packable)
        found = model(input_ids=ids)[0]
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, atol=tolerance, rtol=0)


def test_in_bf16_only_products_are(encoder):
    set_precision(encoder, "bf16")
    assert {parameter.dtype for parameter in encoder.parameters()} == {torch.float32}
    tokens = encoder.passage_tokens(TEXTS)
    whole = DualEncoder.from_pretrained(encoder.folder)
    exact = whole.encode_tokens(tokens)
    whole.model.to(torch.bfloat16)
    ours, all_bf16 = (np.abs(model.encode_tokens(tokens) - exact).mean() for model in (encoder, whole))
    assert ours < all_bf16 / 2


@pytest.mark.parametrize("devices", ["cpu,cpu", "cpu, cpu,cpu"])
def test_several_devices_make_the_index_of_one(devices, tiny_encoder, tmp_path):
    write_corpus(tmp_path / "corpus.jsonl", map(passage, range(100)))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for name, device in (("one", "cpu"), ("several", devices)):
        counted = []
        options = EncodingOptions(device=device, window=8, precision="fp32", batch_tokens=300)
        encode_corpus(
            tmp_path / "corpus.jsonl",
            tmp_path / name,
            str(tiny_encoder),
            options=options,
            advance=counted.append,
        )
        assert sum(counted) == 100
    torch.set_num_threads(threads)
    for name in ("index", "docid", "qgdr.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "several" / name).read_bytes()


def test_what_fails_on_one_of_several_devices_is_raised_and_can_be_resumed(
    tiny_encoder, tmp_path, monkeypatch
):
    write_corpus(tmp_path / "corpus.jsonl", map(passage, range(100)))
    options = EncodingOptions(device="cpu,cpu", window=8, precision="fp32", batch_tokens=300)
    encode, calls = BatchEncoder.encode, itertools.count()

    def fail_late(self, tokens, advance):
        if next(calls) == 6:
            raise RuntimeError("the device is gone")
        return encode(self, tokens, advance)

    arguments = (tmp_path / "corpus.jsonl", tmp_path / "index", str(tiny_encoder))
    monkeypatch.setattr(BatchEncoder, "encode", fail_late)
    with pytest.raises(RuntimeError, match="the device is gone"):
        encode_corpus(*arguments, options=options)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("qgdr-")]
    done = encode_corpus(*arguments, options=options, resume=True)
    assert done.passages == 100
    assert 0 < done.resumed < 100


@pytest.mark.parametrize(
    ("device", "message"),
    [("cpu,", "a name is empty"), ("cpu,cuda:0", "name one kind"), ("nonsense", "cannot be used")],
)
def test_devices_that_cannot_be_used(device, message, tiny_encoder, tmp_path):
    write_corpus(tmp_path / "corpus.jsonl", map(passage, range(3)))
    with pytest.raises(QgdrError, match=message):
        encode_corpus(
            tmp_path / "corpus.jsonl", tmp_path / "i", str(tiny_encoder), options=EncodingOptions(device)
        )


def test_an_encoder_laid_out_keeps_its_vectors_its_fingerprint_and_its_exactness(tiny_encoder):
    plain = DualEncoder.from_pretrained(tiny_encoder)
    fast = lay_out(DualEncoder.from_pretrained(tiny_encoder))
    queries = ["town 3?", "", "中国 在", "a" * 300, *(f"passage {i} {'near ' * i}" for i in range(20))]
    batch = fast.encode_queries(queries)
    assert fast.fingerprint == plain.fingerprint
    np.testing.assert_allclose(batch, plain.encode_queries(queries), atol=1e-6)
    alone = np.concatenate([fast.encode_queries([query]) for query in queries])
    np.testing.assert_array_equal(batch, alone)
