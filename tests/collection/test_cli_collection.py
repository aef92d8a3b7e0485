"""``qgdr collection`` and ``qgdr encode-corpus`` as their users meet them: output, exit code, one line."""

import json
import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner

from qgdr_pyserini.cli.collection import collection
from qgdr_pyserini.cli.encode import encode_corpus
from qgdr_pyserini.cli.group import OneLineErrorGroup
from qgdr_pyserini.collection import loaders
from qgdr_pyserini.collection.collection import Collection
from qgdr_pyserini.collection.corpus import read_corpus
from qgdr_pyserini.collection.loaders import base
from qgdr_pyserini.collection.loaders.base import all_loaders

GROUP = OneLineErrorGroup("qgdr", commands=[collection, encode_corpus])


def qgdr(*words):
    return CliRunner().invoke(GROUP, [str(word) for word in words])


def assert_one_line(result, *parts):
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    for part in parts:
        assert str(part) in result.stderr


@pytest.fixture
def sample(tmp_path):
    assert qgdr("collection", "build", "sample", "--output", tmp_path / "sample").exit_code == 0
    return Collection.open(tmp_path / "sample")


def test_the_sample_is_built_and_counted(tmp_path):
    result = qgdr("collection", "build", "sample", "--output", tmp_path / "sample")
    assert result.exit_code == 0
    built = Collection.open(tmp_path / "sample")
    passages = sum(1 for _ in read_corpus(built.corpus))
    assert result.stdout.startswith(f"sample: {passages} passages, ")
    assert f"{built.topics['de']}: 30 questions" in result.stdout
    assert result.stdout.endswith(f"wrote {tmp_path / 'sample'}\n")


def test_the_manifest_fits_the_sample(sample):
    assert list(sample.languages) == sample.manifest["languages"]
    assert set(sample.manifest["checksums"]) == {
        file.name for file in sample.directory.iterdir() if file.name != "collection.json"
    }


def test_every_loader_is_in_the_help_with_its_options():
    text = " ".join(qgdr("collection", "build", "--help").stdout.split())
    for loader in all_loaders().values():
        assert f" {loader.usage} {loader.help}" in text
        assert loader.help
        assert not loader.flags or f"; takes {', '.join(loader.flags)} " in text


def test_a_loader_costs_one_file(tmp_path, monkeypatch):
    (tmp_path / "zulu.py").write_text(
        "from qgdr_pyserini.collection.loaders.base import register\n"
        "@register('zulu', 'questions in Zulu; DIR holds zulu.tsv', options=('split',))\n"
        "def build(request):\n"
        "    raise ValueError(f'built from {request.source}')\n"
    )
    monkeypatch.setattr(loaders, "__path__", [*loaders.__path__, str(tmp_path)])
    monkeypatch.setattr(base, "_REGISTRY", dict(all_loaders()))
    assert "zulu         questions in Zulu; DIR holds zulu.tsv; takes --split" in (
        qgdr("collection", "build", "--help").stdout
    )
    assert_one_line(qgdr("collection", "build", "zul", "--output", "o"), "did you mean 'zulu'")
    assert_one_line(qgdr("collection", "build", "zulu", "--corpus", "c", "--output", "o"), "no --corpus")
    with pytest.raises(ValueError, match="built from s"):
        base.build_collection("zulu", base.BuildRequest(source="s", output="o"))


def test_the_loaders_are_listed_without_anything_heavy():
    code = (
        "import sys; from qgdr_pyserini.collection.loaders.base import all_loaders; all_loaders();"
        "heavy = ('numpy', 'torch', 'pyarrow', 'datasets', 'ir_datasets', 'huggingface_hub', 'pyserini');"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("command", [("collection", "build"), ("encode-corpus",)])
def test_the_help_shows_an_example_on_a_line_of_its_own(command):
    text = qgdr(*command, "--help").stdout
    example = text.split("  Example:\n")[1].splitlines()[0]
    assert example.startswith(f"    qgdr {' '.join(command)} ")


def test_what_build_refuses(sample, tmp_path):
    output = tmp_path / "out"
    assert_one_line(
        qgdr("collection", "build", "xquat", "--output", output), "unknown collection 'xquat'", "'xquad'"
    )
    assert_one_line(qgdr("collection", "build", "zzz", "--output", output), "known: beir, ir_datasets")
    assert_one_line(qgdr("collection", "build", "xquad", "--output", output), "--source")
    assert_one_line(
        qgdr("collection", "build", "sample", "--source", "hub", "--output", output), "leave out --source"
    )
    assert_one_line(
        qgdr("collection", "build", "xquad", "--source", tmp_path, "--output", output),
        tmp_path / "squad" / "dev-v1.1.json",
    )
    assert_one_line(
        qgdr("collection", "build", "sample", "--output", sample.directory), "already exists", "--overwrite"
    )
    assert not output.exists()


def test_overwrite_replaces_a_collection(sample):
    sample.corpus.write_text("", encoding="utf-8")
    assert qgdr("collection", "build", "sample", "--output", sample.directory, "--overwrite").exit_code == 0
    assert next(read_corpus(sample.corpus))


def test_encoding_the_sample(sample, tiny_encoder, tmp_path):
    index = tmp_path / "index"
    words = ("--corpus", sample.corpus, "--index", index, "--encoder", tiny_encoder, "--device", "cpu")
    result = qgdr("encode-corpus", *words, "--max-length", 16)
    assert result.exit_code == 0, result.stderr
    count = sample.manifest["counts"]["passages"]
    assert result.stdout.startswith(f"{count} passages in ")
    assert result.stdout.endswith(f" passages/s: {index}\n")
    assert json.loads((index / "qgdr.json").read_text())["passages"] == count
    assert_one_line(qgdr("encode-corpus", *words), index, "already exists", "--overwrite")
    assert qgdr("encode-corpus", *words, "--max-length", 16, "--overwrite").exit_code == 0


def test_what_encode_corpus_refuses(sample, tiny_encoder, tmp_path):
    index = tmp_path / "indexes" / "tiny"

    def encode(corpus, *more, encoder=tiny_encoder):
        paths = ("--corpus", corpus, "--index", index, "--encoder", encoder)
        return qgdr("encode-corpus", *paths, "--precision", "fp32", *more)

    broken = tmp_path / "broken.jsonl"
    shutil.copy(sample.corpus, broken)
    with broken.open("a") as file:
        file.write('{"id": "late", \n')
    line = sample.manifest["counts"]["passages"] + 1
    assert_one_line(encode(broken), f"{broken}:{line}: malformed JSON")
    assert_one_line(encode(tmp_path / "absent.jsonl"), f"{tmp_path / 'absent.jsonl'}: no such file")
    assert_one_line(encode(sample.corpus, encoder="qgdr-absent"), "unknown encoder 'qgdr-absent'")
    assert_one_line(encode(sample.corpus, encoder=tmp_path), f"{tmp_path}: not an encoder")
    assert_one_line(encode(sample.corpus, "--device", "nonsense"), "device 'nonsense' cannot be used")
    assert_one_line(encode(sample.corpus, "--max-length", "0"), "--max-length")
    assert_one_line(encode(sample.corpus, "--index-type", "flit"), "index type 'flit'", "flat")
    assert not list(tmp_path.glob("indexes/*"))
    assert not list(tmp_path.glob("indexes/.*"))
