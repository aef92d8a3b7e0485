"""Corpora that the `datasets` library keeps read as JSON Lines do."""

import json

import datasets
import pytest

from qgdr_pyserini.collection.corpus import corpus_files, read_corpus
from qgdr_pyserini.encode.encode_corpus import encode_corpus
from qgdr_pyserini.encode.options import EncodingOptions
from qgdr_pyserini.errors import QgdrError

ROWS = [{"docid": f"d{i}", "title": f"Town {i}" if i % 2 else "", "text": f"river {i}"} for i in range(2500)]


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    table = datasets.Dataset.from_list(ROWS)
    table.to_parquet(folder / "corpus.parquet")
    table.save_to_disk(folder / "saved", num_shards=3)
    datasets.DatasetDict({"train": table, "dev": table}).save_to_disk(folder / "splits")
    (folder / "parts").mkdir()
    table.select(range(1000)).to_parquet(folder / "parts" / "a.parquet")
    table.select(range(1000, 2500)).to_parquet(folder / "parts" / "b.parquet")
    return folder


@pytest.mark.parametrize("name", ["corpus.parquet", "saved", "splits/dev", "parts"])
def test_tables_hold_the_same_passages(name, places):
    assert list(read_corpus(places / name)) == list(read_corpus(places / "corpus.jsonl"))


@pytest.mark.parametrize("suffix", ["", "@train", ",default@train"])
def test_a_set_is_streamed(suffix, places):
    assert list(read_corpus(f"hub:{places}/parts{suffix}")) == list(read_corpus(places / "corpus.jsonl"))


def test_files_are_known_where_there_are_some(places):
    assert [file.name[:6] for file in corpus_files(places / "saved")] == ["data-0"] * 3
    assert corpus_files(f"hub:{places}/parts") == []


def test_the_same_index_comes_out(places, tiny_encoder, tmp_path):
    made = []
    for corpus in (places / "parts", f"hub:{places}/parts"):
        (tmp_path / "few").mkdir(exist_ok=True)
        options = EncodingOptions(device="cpu", precision="fp32", max_length=16)
        encode_corpus(corpus, tmp_path / "index", str(tiny_encoder), options=options, overwrite=True)
        again = encode_corpus(corpus, tmp_path / "index", str(tiny_encoder), options=options, resume=True)
        assert again.resumed == 2500
        made.append((tmp_path / "index" / "index").read_bytes())
    assert made[0] == made[1]


@pytest.mark.parametrize(
    ("corpus", "message"),
    [
        ("{}/splits", "holds several splits; name the folder of one: dev, train"),
        ("{}/nowhere.parquet", "nowhere.parquet: no such file"),
        ("{}/bad.parquet", "bad.parquet: not a parquet file"),
        ("{}/noid.parquet", "noid.parquet:1: no id"),
        ("hub:{}/nowhere", "nowhere: cannot be read"),
        ("hub:{}/parts@other", "cannot be read"),
        ("hub:", "hub:: write hub:NAME"),
        ("hub:a,b,c", "write hub:NAME"),
    ],
)
def test_what_cannot_be_read_is_one_line(corpus, message, places):
    (places / "bad.parquet").write_bytes(b"PAR1 and more of it")
    datasets.Dataset.from_list([{"name": "x", "text": "y"}]).to_parquet(places / "noid.parquet")
    with pytest.raises(QgdrError) as caught:
        list(read_corpus(corpus.format(places)))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
