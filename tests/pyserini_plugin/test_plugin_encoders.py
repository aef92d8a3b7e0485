"""Our encoders inside Pyserini's own commands."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pyserini.encode import DocumentEncoder, QueryEncoder

from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.pyserini_plugin.encoders import QgdrDocumentEncoder, QgdrQueryEncoder
from qgdr_pyserini.pyserini_plugin.search import option_value, search

QUERIES = ["wo entspringt die donau?", "cheese", "", "中国 在 大 人?", "a" * 300]
PASSAGES = [f"passage {i}: the danube rises in germany {'near ' * (i % 7)}the town {i}." for i in range(40)]


def pyserini_command(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    removed = {"JAVA_HOME", "OPENAI_API_KEY", "QGDR_PLUGIN"}
    variables = {k: v for k, v in os.environ.items() if k not in removed}
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        capture_output=True,
        text=True,
        env=variables,
        cwd=cwd,
        check=False,
    )


def test_one_query_gives_one_vector(tiny_encoder: Path) -> None:
    encoder = QgdrQueryEncoder(
        str(tiny_encoder), device="cpu", fp16=False, tokenizer_name=None, pooling="cls"
    )
    vector = encoder.encode("cheese")
    assert isinstance(encoder, QueryEncoder)
    assert (vector.shape, vector.dtype) == ((32,), np.float32)


def test_a_batch_gives_the_vectors_of_its_queries(tiny_encoder: Path) -> None:
    encoder = QgdrQueryEncoder(f"qgdr:{tiny_encoder}")
    batch = encoder.encode_batch(QUERIES)
    assert (batch.shape, batch.dtype, batch.flags.c_contiguous) == ((5, 32), np.float32, True)
    np.testing.assert_allclose(batch, [encoder.encode(query) for query in QUERIES], atol=1e-6)


def test_passages_give_contiguous_vectors_and_titles_count(tiny_encoder: Path) -> None:
    encoder = QgdrDocumentEncoder(model_name=str(tiny_encoder), device="cpu")
    plain = encoder.encode(texts=PASSAGES, fp16=True, max_length=256, add_sep=False)
    titled = encoder.encode(texts=PASSAGES, titles=["danube", None] * 20, max_length=256)
    assert isinstance(encoder, DocumentEncoder)
    assert (plain.shape, plain.dtype, plain.flags.c_contiguous) == ((40, 32), np.float32, True)
    np.testing.assert_allclose(titled[1], plain[1], atol=1e-6)
    assert not np.allclose(titled[0], plain[0], atol=1e-3)


def test_a_prefix_and_a_shorter_length_are_honoured_and_a_longer_one_is_not(tiny_encoder: Path) -> None:
    plain, prefixed = QgdrQueryEncoder(str(tiny_encoder)), QgdrQueryEncoder(str(tiny_encoder), prefix="in")
    np.testing.assert_allclose(prefixed.encode("cheese"), plain.encode("in cheese"), atol=1e-6)
    query = "which river rises in the black forest and flows east?"
    np.testing.assert_allclose(plain.encode(query, max_length=512), plain.encode(query), atol=1e-6)
    assert not np.allclose(plain.encode(query, max_length=6), plain.encode(query), atol=1e-3)


def test_an_unknown_encoder_is_an_error_that_says_so() -> None:
    with pytest.raises(QgdrError, match="unknown encoder 'no-qgdr'"):
        QgdrQueryEncoder("no-qgdr")
    with pytest.raises(QgdrError, match="unknown encoder"):
        QgdrDocumentEncoder("qgdr:/nowhere")


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Path:
    """A folder with topics, and an index that Pyserini's own command wrote, no dimension given."""
    folder = tmp_path_factory.mktemp("stock")
    rows = [{"id": f"p{i}", "text": text} for i, text in enumerate(PASSAGES)]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "topics.de.tsv").write_text("".join(f"q{i}\ttown {i}\n" for i in range(10)))
    arguments = ["input", "--corpus", "corpus.jsonl", "output", "--embeddings", "index", "--to-faiss"]
    done = pyserini_command(
        "pyserini.encode", *arguments, "encoder", "--encoder", str(tiny_encoder), cwd=folder
    )
    assert done.returncode == 0, done.stderr
    return folder


def search_options(folder: Path, encoder: Path, output: str) -> list[str]:
    named = {"encoder": f"qgdr:{encoder}", "index": folder / "index", "topics": folder / "topics.de.tsv"}
    return [f"--{key}={value}" for key, value in named.items()] + ["--output", str(folder / output)]


def test_the_stock_command_and_ours_rank_alike_whatever_the_batch(index: Path, tiny_encoder: Path) -> None:
    stock = search_options(index, tiny_encoder, "stock.txt")
    done = pyserini_command("pyserini.search.faiss", *stock, "--hits", "5", cwd=index)
    assert done.returncode == 0, done.stderr
    search([*search_options(index, tiny_encoder, "ours.txt"), "--hits", "5", "--batch-size", "4"])
    one, batched = ((index / name).read_text().splitlines() for name in ("stock.txt", "ours.txt"))
    assert len(one) == 50
    assert [line.split()[:4] for line in one] == [line.split()[:4] for line in batched]


def test_an_unknown_encoder_ends_the_stock_command_in_one_line(index: Path) -> None:
    options = ["--encoder", "qgdr:/nowhere", "--index", "index", "--topics", "topics.de.tsv", "--output", "o"]
    done = pyserini_command("pyserini.search.faiss", *options, cwd=index)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("Error: unknown encoder 'qgdr:/nowhere'")
    assert "Traceback" not in done.stderr
    assert not (index / "o").exists()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"--index": "nowhere"}, "nowhere: no such index"),
        ({"--index": "corpus.jsonl"}, "corpus.jsonl: is a file"),
        ({"--index": "."}, "it has no file 'index'"),
        ({"--topics": "nowhere.tsv"}, "nowhere.tsv: no such file"),
        ({"--topics": "index"}, "index: is a directory"),
        ({"--output": None}, "missing option --output"),
        ({"--nonsense": "1"}, "unrecognized arguments: --nonsense 1"),
        ({"--hits": "many"}, "argument --hits: invalid int value: 'many'"),
        ({"--encoder": "qgdr-none"}, "unknown encoder 'qgdr-none'"),
    ],
)
def test_wrong_options_of_our_command_are_one_line(
    index: Path, changed: dict[str, str | None], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(index)
    options = {"--index": "index", "--topics": "topics.de.tsv", "--output": "run.txt"} | changed
    arguments = [part for key, value in options.items() if value for part in (key, value)]
    with pytest.raises(QgdrError, match=message):
        search(arguments)
    assert not (index / "run.txt").exists()


def test_an_option_is_found_in_both_spellings() -> None:
    arguments = ["--topics", "t.tsv", "--index=i", "--output"]
    assert [option_value(arguments, name) for name in ("--topics", "--index", "--output", "--hits")] == [
        "t.tsv",
        "i",
        None,
        None,
    ]
