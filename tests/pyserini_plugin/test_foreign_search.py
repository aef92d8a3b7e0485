"""Encoders of other makes in commands and in Pyserini: the index says what their folder does not."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from foreign_encoders import bare_transformer, saved_by_sentence_transformers
from pyserini.search.faiss import FaissSearcher
from pyserini_process import python
from sentence_transformers.models import Normalize

from qgdr_pyserini.cli import main
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.config import EncoderOptions
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.registry import find_encoder, find_own_encoder, named_encoders
from qgdr_pyserini.pyserini_plugin.encoders import QgdrDocumentEncoder, QgdrQueryEncoder

SETTINGS = ["--pooling", "cls", "--normalize", "--query-prefix", "query: ", "--passage-prefix", "passage: "]
OPTIONS = EncoderOptions("cls", True, "query: ", "passage: ")


def qgdr(*arguments):
    return CliRunner().invoke(main, list(map(str, arguments)))


@pytest.fixture(scope="module")
def work(tmp_path_factory, tiny_encoder) -> Path:
    """A bare transformer, and an index that it made with everything said that its folder does not say."""
    folder = tmp_path_factory.mktemp("work")
    bare_transformer(folder / "bare", tiny_encoder)
    rows = [{"id": f"p{i}", "contents": f"passage {i}"} for i in range(5)]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "topics.tsv").write_text("q1\tpassage 3\nq2\tpassage 4\n")
    done = encode(folder, "index", *SETTINGS)
    assert (done.exit_code, "guessed" in done.stderr) == (0, False), done.output
    return folder


def encode(work: Path, index: str, *options, encoder=None):
    places = ["--corpus", work / "corpus.jsonl", "--index", work / index]
    return qgdr(
        "encode-corpus", *places, "--encoder", encoder or work / "bare", "--precision", "fp32", *options
    )


def test_the_index_records_what_it_was_made_with(work):
    said = json.loads((work / "index" / "qgdr.json").read_text())
    assert (said["encoder"], said["pooling"], said["normalized"]) == ("bare", "cls", True)
    assert (said["query_prefix"], said["passage_prefix"]) == ("query: ", "passage: ")


def test_an_index_of_an_encoder_of_ours_is_described_as_before(work, tiny_encoder):
    assert encode(work, "ours", encoder=tiny_encoder).exit_code == 0
    assert "query_prefix" not in json.loads((work / "ours" / "qgdr.json").read_text())


def test_pyserini_encodes_queries_as_the_index_says(work, capsys):
    searcher = FaissSearcher(str(work / "index"), f"qgdr:{work / 'bare'}")
    assert searcher.search("passage 3", k=1)
    expected = DualEncoder.from_pretrained(work / "bare", options=OPTIONS).encode_queries(["passage 3"])
    np.testing.assert_allclose(searcher.query_encoder.encode("passage 3"), expected[0], atol=1e-6)
    assert "guessed" not in capsys.readouterr().err


def test_a_guess_is_told_once_and_stands(work, capsys):
    encoder = QgdrQueryEncoder(f"qgdr:{work / 'bare'}")
    encoder.encode("passage 3")
    encoder.encode("passage 4")
    assert capsys.readouterr().err.count("guessed: pooling mean") == 1
    with pytest.raises(
        QgdrError, match=r"encoded by bare \(sha256:\w+, pooling 'cls', normalize True, query_pre"
    ):
        FaissSearcher(str(work / "index"), encoder)
    QgdrDocumentEncoder(f"qgdr:{work / 'bare'}")
    assert "guessed: pooling mean" in capsys.readouterr().err


def test_the_stock_command_searches_with_a_folder_of_sentence_transformers(work):
    saved = work / "saved-by-them"
    saved_by_sentence_transformers(saved, work / "bare", layers=[Normalize()], prompts={"query": "query: "})
    done = encode(work, "theirs", encoder=saved)
    assert (done.exit_code, "guessed" in done.stderr) == (0, False), done.output
    named = [
        "--encoder",
        f"qgdr:{saved}",
        "--index",
        "theirs",
        "--topics",
        "topics.tsv",
        "--output",
        "run.txt",
    ]
    stock = python("-m", "pyserini.search.faiss", *named, "--hits", "5", cwd=work)
    assert stock.returncode == 0, stock.stderr
    assert len((work / "run.txt").read_text().splitlines()) == 10


def test_queries_are_encoded_as_the_index_says_or_not_at_all(work):
    places = ["--topics", work / "topics.tsv", "--encoder", work / "bare"]
    done = qgdr("encode-queries", *places, "--output", work / "queries", "--index", work / "index")
    assert (done.exit_code, done.stderr) == (0, "")
    alone = qgdr("encode-queries", *places, "--output", work / "guessed")
    assert "guessed: pooling mean" in alone.stderr
    options = ["--output", work / "other", "--index", work / "index", "--pooling", "max"]
    other = qgdr("encode-queries", *places, *options)
    assert (other.exit_code, len(other.stderr.splitlines())) == (2, 1)
    assert "pooling 'cls'" in other.stderr
    assert not (work / "other").exists()


def test_a_guess_is_told_when_encoding(work):
    done = encode(work, "guessed-index")
    assert done.exit_code == 0
    assert "guessed: pooling mean (--pooling), vectors as they are (--normalize)" in done.stderr


def test_an_option_against_the_folder_is_one_line(work, tiny_encoder):
    done = encode(work, "refused", "--pooling", "cls", encoder=tiny_encoder)
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
    assert "leave out --pooling" in done.stderr
    assert not (work / "refused").exists()


def test_an_index_is_not_gone_on_with_under_other_settings(work):
    done = encode(work, "index", "--resume", "--pooling", "mean", *SETTINGS[2:])
    assert done.exit_code == 2
    assert "it was begun with pooling cls, not mean" in done.stderr
    assert encode(work, "index", "--resume", *SETTINGS).exit_code == 0


def test_show_says_how_vectors_are_made(work):
    shown = qgdr("encoders", "show", work / "bare")
    assert shown.exit_code == 0
    assert "pooling: 'mean'  (its folder does not say)" in shown.output
    assert "query max length: 64" in shown.output


def test_only_encoders_of_ours_are_told_from_models_to_train(work, monkeypatch):
    with pytest.raises(QgdrError, match="not an encoder"):
        find_own_encoder(str(work / "bare"))
    (work / "encoders").mkdir()
    (work / "encoders" / "theirs").symlink_to(work / "bare")
    monkeypatch.chdir(work)
    assert find_encoder("theirs").samefile(work / "bare")
    assert "theirs" in named_encoders()
    with pytest.raises(QgdrError, match="unknown encoder 'qgdr-none'"):
        find_own_encoder("qgdr-none")


@pytest.fixture
def cache(work, tmp_path, monkeypatch) -> Path:
    """The hub's cache with one model in it, and no network."""
    model = tmp_path / "models--some-lab--small"
    shutil.copytree(work / "bare", model / "snapshots" / ("0" * 40))
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text("0" * 40)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return tmp_path


def test_a_name_on_the_hub_is_taken_from_its_cache(work, cache):
    done = encode(work, "from-hub", *SETTINGS, encoder="some-lab/small")
    assert done.exit_code == 0, done.output
    assert json.loads((work / "from-hub" / "qgdr.json").read_text())["encoder"] == "some-lab/small"
    searcher = FaissSearcher(str(work / "from-hub"), "qgdr:some-lab/small")
    assert searcher.search("passage 3", k=1)


def test_a_name_that_is_not_in_the_cache_is_one_line_without_a_network(work, cache):
    done = encode(work, "absent", encoder="some-lab/large")
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
    assert "unknown encoder 'some-lab/large'" in done.stderr
    assert "not in the Hugging Face hub's cache and not to be fetched" in done.stderr
