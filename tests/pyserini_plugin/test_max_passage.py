"""Indexes of segments give runs of documents: in Pyserini by its options, in ours unasked."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from pyserini_process import command
from test_split_indexes import corpus, whole  # noqa: F401  fixtures

from qgdr_pyserini.cli import main
from qgdr_pyserini.collection.corpus import read_corpus
from qgdr_pyserini.collection.passage_store import PassageStore
from qgdr_pyserini.collection.topics import write_topics
from qgdr_pyserini.collection.trec import read_run
from qgdr_pyserini.encode.encode_corpus import encode_corpus
from qgdr_pyserini.encode.options import EncodingOptions
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.pyserini_plugin.max_passage import max_passage_options
from qgdr_pyserini.pyserini_plugin.search import search

QUESTIONS = {"q1": "where does the danube end?", "q2": "vienna", "q3": "the black forest"}
HITS = 7


@pytest.fixture(scope="module")
def topics(tmp_path_factory):
    path = tmp_path_factory.mktemp("topics") / "topics.en.tsv"
    write_topics(path, QUESTIONS)
    return path


@pytest.fixture(scope="module")
def expected(whole, tiny_encoder):  # noqa: F811
    """Each document's best score, by hand."""
    encoder = DualEncoder.from_pretrained(tiny_encoder)
    segments = list(PassageStore(whole / "passages.sqlite"))
    vectors = encoder.encode_passages([item.text for item in segments], [item.title for item in segments])
    scores = encoder.encode_queries(list(QUESTIONS.values())) @ vectors.T
    best = {}
    for qid, row in zip(QUESTIONS, scores, strict=True):
        documents = {}
        for segment, score in zip(segments, row, strict=True):
            docid = segment.docid.partition("#")[0]
            documents[docid] = max(score, documents.get(docid, -1))
        best[qid] = sorted(documents.values(), reverse=True)[:HITS]
    return best


def agrees(run, expected):
    found = read_run(run)
    assert found.keys() == expected.keys()
    for qid, scores in expected.items():
        assert not [docid for docid in found[qid] if "#" in docid]
        np.testing.assert_allclose(sorted(found[qid].values(), reverse=True), scores, atol=1e-5)


def common(index, topics, encoder, output):
    named = ("--encoder", f"qgdr:{encoder}", "--index", index, "--topics", topics, "--output", output)
    return [*map(str, named), "--hits", str(HITS)]


def test_pyserinis_own_options_give_documents(whole, topics, tiny_encoder, expected, tmp_path):  # noqa: F811
    command(
        "pyserini.search.faiss",
        *common(whole, topics, tiny_encoder, tmp_path / "run.txt"),
        *("--hits", str(10 * HITS), "--max-passage", "--max-passage-hits", str(HITS)),
        *("--max-passage-delimiter", "#"),
        cwd=tmp_path,
    )
    agrees(tmp_path / "run.txt", expected)


@pytest.mark.parametrize("more", [(), ("--batch-size", "2")])
def test_search_fills_them_in(more, whole, topics, tiny_encoder, expected, tmp_path):  # noqa: F811
    search([*common(whole, topics, tiny_encoder, tmp_path / "run.txt"), *more])
    agrees(tmp_path / "run.txt", expected)


def test_an_empty_delimiter_gives_the_segments(whole, topics, tiny_encoder, tmp_path):  # noqa: F811
    search([*common(whole, topics, tiny_encoder, tmp_path / "run.txt"), "--max-passage-delimiter="])
    assert all("#" in docid for hits in read_run(tmp_path / "run.txt").values() for docid in hits)


def test_what_is_filled_in(whole, tiny_encoder, corpus, tmp_path):  # noqa: F811
    index = ["--index", str(whole)]
    full = ["--max-passage", "--max-passage-hits", "100", "--hits", "1000", "--max-passage-delimiter", "#"]
    assert max_passage_options([*index, "--hits", "100"]) == full
    assert max_passage_options(index)[2:5] == ["1000", "--hits", "10000"]
    nine = max_passage_options([*index, "--hits=100", "--max-passage-hits", "9"])
    assert nine[2:5] == ["9", "--hits", "1000"]
    assert max_passage_options([*index, "--hits", "50", "--max-passage"]) == full[-2:]
    assert max_passage_options([*index, "--hits", "many"]) == full[-2:]
    assert max_passage_options(["--index", "msmarco-v1-passage.tct_colbert"]) == []
    encode_corpus(corpus, tmp_path / "plain", str(tiny_encoder), options=EncodingOptions("cpu"))
    assert max_passage_options(["--index", str(tmp_path / "plain"), "--hits", "5"]) == []
    with pytest.raises(QgdrError, match="plain: not split into segments as"):
        max_passage_options([*index, "--index", str(tmp_path / "plain")])


def bm25(*arguments):
    return CliRunner().invoke(main, ["bm25", *map(str, arguments)])


def test_bm25_ranks_documents_by_the_same_segments(whole, corpus, topics, tmp_path):  # noqa: F811
    arguments = ["--topics", topics, "--output", tmp_path, "--hits", HITS, "--index", tmp_path / "lucene"]
    done = bm25("--segments-of", whole, *arguments)
    assert done.exit_code == 0, done.output
    run = read_run(tmp_path / "run.bm25.en.txt")
    vienna = {item.docid for item in read_corpus(corpus) if "vienna" in item.text}
    assert len(run["q2"]) == HITS
    assert run["q2"].keys() <= vienna
    again = bm25("--segments-of", whole, *arguments, "--overwrite")
    assert f"Using the index in {tmp_path / 'lucene'}" in again.stderr
    other = bm25("--corpus", corpus, *arguments, "--tag", "other")
    assert "built from another corpus or language" in other.stderr


def test_bm25_needs_one_of_corpus_and_segments(whole, corpus, tiny_encoder, topics, tmp_path):  # noqa: F811
    arguments = ["--topics", topics, "--output", tmp_path]
    encode_corpus(corpus, tmp_path / "plain", str(tiny_encoder), options=EncodingOptions("cpu"))
    for options, message in [
        ((), "give either --corpus PATH or --segments-of INDEX"),
        (("--corpus", corpus, "--segments-of", whole), "give either --corpus PATH or --segments-of INDEX"),
        (
            ("--segments-of", tmp_path / "plain"),
            "plain: not split into segments; give its corpus",
        ),
        (("--segments-of", Path("nowhere")), "nowhere: no qgdr.json in it"),
    ]:
        result = bm25(*options, *arguments)
        assert result.exit_code == 2
        assert message in result.stderr.splitlines()[-1]
