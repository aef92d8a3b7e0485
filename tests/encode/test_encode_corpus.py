"""Encoding a corpus: the index is what brute force says, and nothing is lost when something goes wrong."""

import dataclasses
import importlib.metadata
import io
import json

import numpy as np
import pytest
import torch  # noqa: F401  before faiss: their OpenMP libraries clash
from hypothesis import given
from hypothesis import strategies as st

# isort: split
import faiss

from qgdr_pyserini.collection.corpus import Passage, read_corpus, write_corpus
from qgdr_pyserini.collection.passage_store import PassageStore
from qgdr_pyserini.encode.encode_corpus import encode_corpus
from qgdr_pyserini.encode.options import EncodingOptions
from qgdr_pyserini.errors import InputError, QgdrError
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.inference.batching import batches, windows
from qgdr_pyserini.progress import progress

WORDS = ["the", "danube", "rises", "in", "black", "forest", "river", "passes", "vienna", "donau", "north"]
PASSAGES = st.lists(st.builds(Passage, st.just("d"), st.text(max_size=5), st.text(max_size=30)), max_size=30)


def passage(number):
    """Passages whose lengths go up and down, some with a title."""
    words = [WORDS[(number * 7 + i * i) % len(WORDS)] for i in range(1 + number * 13 % 29)]
    return Passage(f"d{number}", "Danube" if number % 3 else "", " ".join(words))


@pytest.fixture
def corpus(tmp_path):
    write_corpus(tmp_path / "corpus.jsonl", map(passage, range(50)))
    return tmp_path / "corpus.jsonl"


SMALL = EncodingOptions(device="cpu", batch_tokens=160, window=16, precision="fp32")


def files(directory):
    return {file.name: file.read_bytes() for file in directory.iterdir()}


@given(passages=PASSAGES, size=st.integers(1, 12))
def test_windows_cut_the_stream_and_keep_its_order(passages, size):
    found = list(windows(iter(passages), size))
    assert [item for window in found for item in window] == passages
    assert all(len(window) == size for window in found[:-1])


@given(lengths=st.lists(st.integers(0, 40), max_size=30), tokens=st.integers(1, 100))
def test_batches_hold_every_position_once_longest_first(lengths, tokens):
    found = list(batches(lengths, tokens))
    order = [position for batch in found for position in batch]
    assert sorted(order) == list(range(len(lengths)))
    assert [lengths[i] for i in order] == sorted(lengths, reverse=True)
    assert all(len(batch) == 1 or len(batch) * lengths[batch[0]] <= tokens for batch in found)


def test_the_index_holds_what_the_encoder_says_in_corpus_order(tiny_encoder, corpus, tmp_path):
    done = encode_corpus(corpus, tmp_path / "index", str(tiny_encoder), options=SMALL)
    passages = list(read_corpus(corpus))
    encoder = DualEncoder.from_pretrained(tiny_encoder)
    expected = encoder.encode_passages([item.text for item in passages], [item.title for item in passages])
    index = faiss.read_index(str(tmp_path / "index" / "index"))
    assert isinstance(index, faiss.IndexFlatIP)
    assert index.ntotal == done.passages == 50
    np.testing.assert_allclose(index.reconstruct_n(0, 50), expected, atol=1e-5)
    docids = (tmp_path / "index" / "docid").read_text().splitlines()
    assert docids == [item.docid for item in passages]


def test_searching_the_index_equals_brute_force(tiny_encoder, corpus, tmp_path):
    encode_corpus(corpus, tmp_path / "index", str(tiny_encoder), options=SMALL)
    encoder = DualEncoder.from_pretrained(tiny_encoder)
    queries = encoder.encode_queries(["which river passes vienna", "rhine", "black sea"])
    passages = list(read_corpus(corpus))
    vectors = encoder.encode_passages([item.text for item in passages], [item.title for item in passages])
    scores, _ = faiss.read_index(str(tmp_path / "index" / "index")).search(queries, 10)
    np.testing.assert_allclose(scores, -np.sort(-queries @ vectors.T, axis=1)[:, :10], atol=1e-5)


def test_pyserinis_files_and_ours_and_nothing_else(tiny_encoder, corpus, tmp_path):
    encode_corpus(corpus, tmp_path / "indexes" / "tiny", str(tiny_encoder), options=SMALL)
    assert sorted(files(tmp_path / "indexes" / "tiny")) == ["docid", "index", "passages.sqlite", "qgdr.json"]
    assert [path.name for path in (tmp_path / "indexes").iterdir()] == ["tiny"]
    manifest = json.loads((tmp_path / "indexes" / "tiny" / "qgdr.json").read_text())
    versions = manifest.pop("versions")
    lengths = [len(item.contents) + 2 for item in read_corpus(corpus)]  # a token a character, and two more
    assert manifest == {
        "encoder": "tiny-qgdr",
        "fingerprint": DualEncoder.from_pretrained(tiny_encoder).fingerprint,
        "dimension": 32,
        "pooling": "mean",
        "normalized": True,
        "max_length": 64,
        "precision": "fp32",
        "index_type": "flat",
        "passages": 50,
        "window": 16,
        "batch_tokens": 160,
        "shard": "1/1",
        "corpus_passages": 50,
        "files": [["corpus.jsonl", corpus.stat().st_size]],
        "contents": manifest["contents"],
        "store": "passages.sqlite",
        "truncated": {
            "passages": sum(length > 64 for length in lengths),
            "lost": sum(length - 64 for length in lengths if length > 64),
            "tokens": sum(lengths),
        },
    }
    assert versions == {
        name: importlib.metadata.version(name)
        for name in ("qgdr-pyserini", "faiss-cpu", "torch", "transformers")
    }


def test_the_passages_stand_beside_the_index_row_by_row(tiny_encoder, corpus, tmp_path):
    encode_corpus(corpus, tmp_path / "index", str(tiny_encoder), options=SMALL)
    store = PassageStore(tmp_path / "index" / "passages.sqlite")
    assert list(store) == list(read_corpus(corpus))


def test_without_a_store_there_is_none_and_nothing_says_so(tiny_encoder, corpus, tmp_path):
    options = dataclasses.replace(SMALL, store=False)
    encode_corpus(corpus, tmp_path / "index", str(tiny_encoder), options=options)
    assert sorted(files(tmp_path / "index")) == ["docid", "index", "qgdr.json"]
    assert "store" not in json.loads((tmp_path / "index" / "qgdr.json").read_text())


def test_max_length_cuts_passages(tiny_encoder, tmp_path):
    write_corpus(
        tmp_path / "c.jsonl", [Passage("a", "", "the river rises"), Passage("b", "", "the river ends")]
    )
    encode_corpus(
        tmp_path / "c.jsonl", tmp_path / "index", str(tiny_encoder), options=EncodingOptions("cpu", 4)
    )
    one, other = faiss.read_index(str(tmp_path / "index" / "index")).reconstruct_n(0, 2)
    np.testing.assert_allclose(one, other, atol=1e-6)
    assert json.loads((tmp_path / "index" / "qgdr.json").read_text())["max_length"] == 4


def test_progress_counts_every_passage(tiny_encoder, corpus, tmp_path):
    seen = []
    encode_corpus(corpus, tmp_path / "index", str(tiny_encoder), options=SMALL, advance=seen.append)
    assert sum(seen) == 50


def test_plain_progress_lines_come_at_intervals():
    times, stream = iter([0.0, 4.0, 10.0, 12.0, 21.0]), io.StringIO()
    with progress("passages", stream, seconds=10.0, clock=lambda: next(times)) as advance:
        for _ in range(4):
            advance(600)
    assert stream.getvalue().splitlines() == ["1,200 passages, 120.0/s", "2,400 passages, 114.3/s"]


def test_an_existing_index_is_refused_before_any_work(tiny_encoder, corpus, tmp_path, monkeypatch):
    encode_corpus(corpus, tmp_path / "index", str(tiny_encoder), options=SMALL)
    before = files(tmp_path / "index")
    monkeypatch.setattr(
        DualEncoder, "from_pretrained", lambda *args, **options: pytest.fail("the encoder was loaded")
    )
    with pytest.raises(QgdrError, match="index: already exists; pass --overwrite"):
        encode_corpus(corpus, tmp_path / "index", str(tiny_encoder), options=SMALL)
    assert files(tmp_path / "index") == before


def test_overwrite_replaces_the_index(tiny_encoder, corpus, tmp_path):
    encode_corpus(corpus, tmp_path / "index", str(tiny_encoder), options=SMALL)
    write_corpus(corpus, [passage(7)])
    encode_corpus(corpus, tmp_path / "index", str(tiny_encoder), options=SMALL, overwrite=True)
    assert (tmp_path / "index" / "docid").read_text() == "d7\n"


def test_overwrite_spares_what_is_no_index(tiny_encoder, corpus):
    with pytest.raises(QgdrError, match="not an index"):
        encode_corpus(corpus, corpus.parent, str(tiny_encoder), options=SMALL, overwrite=True)
    assert corpus.is_file()


class Fault(Exception):
    pass


@pytest.mark.parametrize("fault", [Fault, KeyboardInterrupt])
def test_a_crash_in_the_middle_leaves_the_old_index(fault, tiny_encoder, corpus, tmp_path, monkeypatch):
    index = tmp_path / "indexes" / "tiny"
    encode_corpus(corpus, index, str(tiny_encoder), options=SMALL)
    before, encode, calls = files(index), DualEncoder.encode_tokens, []

    def crash_at_the_tenth_batch(self, *args, **options):
        calls.append(args)
        if len(calls) == 10:
            raise fault
        return encode(self, *args, **options)

    monkeypatch.setattr(DualEncoder, "encode_tokens", crash_at_the_tenth_batch)
    with pytest.raises(fault):
        encode_corpus(corpus, index, str(tiny_encoder), options=SMALL, overwrite=True)
    assert files(index) == before
    monkeypatch.undo()
    encode_corpus(corpus, index, str(tiny_encoder), options=SMALL, resume=True)
    assert files(index) == before
    assert [path.name for path in index.parent.iterdir()] == ["tiny"]


def test_a_bad_line_early_in_the_corpus_leaves_nothing(tiny_encoder, corpus, tmp_path):
    write_corpus(corpus, [passage(1), passage(2)])
    with corpus.open("a") as file:
        file.write('{"id": "d2", "text": "again"}\n')
    with pytest.raises(InputError, match=r"corpus\.jsonl:3: duplicate id 'd2', first at .*corpus\.jsonl:2"):
        encode_corpus(corpus, tmp_path / "indexes" / "tiny", str(tiny_encoder), options=SMALL)
    assert list((tmp_path / "indexes").iterdir()) == []


def test_a_vector_that_is_not_finite_is_named(tiny_encoder, corpus, tmp_path, monkeypatch):
    encode = DualEncoder.encode_tokens

    broken = DualEncoder.from_pretrained(tiny_encoder).passage_tokens([passage(20).text], ["Danube"])[0]

    def half_broken(self, tokens):
        vectors = encode(self, tokens)
        vectors[[text == broken for text in tokens], 3] = np.nan
        return vectors

    monkeypatch.setattr(DualEncoder, "encode_tokens", half_broken)
    with pytest.raises(QgdrError, match="passage 'd20' holds NaN or infinity"):
        encode_corpus(corpus, tmp_path / "index", str(tiny_encoder), options=SMALL)
    assert not (tmp_path / "index").exists()


def test_what_cannot_be_encoded(tiny_encoder, corpus, tmp_path):
    index = tmp_path / "indexes" / "tiny"
    (tmp_path / "empty.jsonl").touch()
    with pytest.raises(InputError, match=r"empty\.jsonl: empty corpus"):
        encode_corpus(tmp_path / "empty.jsonl", index, str(tiny_encoder), options=SMALL)
    with pytest.raises(InputError, match="no such file"):
        encode_corpus(tmp_path / "absent.jsonl", index, str(tiny_encoder), options=SMALL)
    with pytest.raises(QgdrError, match="unknown encoder 'qgdr-absent'"):
        encode_corpus(corpus, index, "qgdr-absent", options=SMALL)
    with pytest.raises(QgdrError, match="device 'cuda:99' cannot be used"):
        encode_corpus(corpus, index, str(tiny_encoder), options=EncodingOptions(device="cuda:99"))
    with pytest.raises(QgdrError, match="max length 65 is more than the 64 tokens that tiny-qgdr takes"):
        encode_corpus(corpus, index, str(tiny_encoder), options=EncodingOptions("cpu", 65))
    assert not index.parent.exists()
