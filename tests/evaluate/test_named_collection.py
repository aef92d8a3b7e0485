"""A graded collection with topics in two languages, from the library's registry to the report."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from ir_sets import news_set
from pyserini_process import command

from qgdr_pyserini.cli.main import main
from qgdr_pyserini.collection.trec import read_run
from qgdr_pyserini.evaluate.metrics import GRADED_METRICS


def qgdr(*words: object) -> str:
    result = CliRunner().invoke(main, list(map(str, words)))
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def collection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IR_DATASETS_HOME", str(tmp_path / "home"))
    name = news_set(tmp_path / "in", "qgdr-whole/zh/test")
    fields = ("--query-field", "title,description", "--query-field", "mt_title")
    qgdr("collection", "build", name, *fields, "--output", tmp_path / "news")
    return tmp_path / "news"


def test_build_encode_search_compare(collection: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    encoder = ("--encoder", tiny_encoder, "--precision", "fp32")
    qgdr("encode-corpus", "--corpus", collection, "--index", tmp_path / "index", *encoder)
    for language in ("en", "zh"):
        command(
            *("pyserini.search.faiss", "--encoder", str(tiny_encoder), "--index", str(tmp_path / "index")),
            *("--topics", str(collection / f"topics.{language}.tsv"), "--hits", "3"),
            *("--output", str(tmp_path / f"run.{language}.txt")),
            cwd=tmp_path,
        )
    assert "news%20one" in read_run(tmp_path / "run.zh.txt")["qgdr_whole_zh_test-zh-101"]
    runs = ("--run", f"tiny={tmp_path}/run.*.txt")
    shown = qgdr("compare", "--qrels", collection / "qrels.txt", *runs, "--output", tmp_path / "report")
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert report["metrics"] == list(GRADED_METRICS)
    assert report["queries"]["languages"] == {"en": 2, "zh": 2}
    # Three documents: all are found, but "gone", which is judged for question 102, is none of them.
    assert report["results"]["recall@100"]["tiny"]["mean"]["score"] == 0.5
    assert "judged@20" in shown
