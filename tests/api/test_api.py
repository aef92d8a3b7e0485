"""The names at the top of the package: what they return, and that they do what the commands do."""

import importlib
import json
import pkgutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from pyserini.search.faiss import FaissSearcher

import qgdr_pyserini as qgdr
from qgdr_pyserini.cli import main

HEAVY = ("pandas", "torch", "transformers", "pyserini", "faiss", "ranx", "datasets", "numpy", "typing")


def command(*arguments):
    done = CliRunner().invoke(main, list(map(str, arguments)))
    assert done.exit_code == 0, done.output
    return done


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    return qgdr.build_collection("sample", tmp_path_factory.mktemp("api") / "sample")


@pytest.fixture(scope="module")
def corpus(sample) -> pd.DataFrame:
    return pd.read_json(sample.corpus, lines=True).rename(columns={"id": "docid"})


@pytest.fixture(scope="module")
def index(sample, tiny_encoder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("api-index") / "index"
    return qgdr.encode_corpus(sample, folder, tiny_encoder, precision="fp32", progress=False)


@pytest.fixture(scope="module")
def dense(index, sample, tiny_encoder) -> pd.DataFrame:
    return qgdr.Searcher(index, tiny_encoder).batch_search(sample, k=20, progress=False)


@pytest.mark.parametrize("name", qgdr.__all__)
def test_every_name_is_there_and_documented(name):
    assert name == "__version__" or getattr(qgdr, name).__doc__
    assert name in dir(qgdr)


def test_no_name_is_that_of_a_part_of_the_package():
    assert not {part.name for part in pkgutil.iter_modules(qgdr.__path__)} & set(qgdr.__all__)


def test_a_wrong_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'encode_everything'"):
        qgdr.encode_everything  # noqa: B018


def test_the_package_imports_nothing_and_loading_an_encoder_no_pandas():
    code = (
        "import sys; before = set(sys.modules); import qgdr_pyserini\n"
        f"print([name for name in {HEAVY!r} if name in set(sys.modules) - before])\n"
        "qgdr_pyserini.load_encoder, qgdr_pyserini.Searcher, qgdr_pyserini.compare, qgdr_pyserini.read_run\n"
        "print([name for name in ('pandas', 'ranx', 'pyserini') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "[]"]


def test_an_encoder_loads_by_name_folder_and_path(tiny_encoder, tmp_path, monkeypatch):
    (tmp_path / "encoders").mkdir()
    (tmp_path / "encoders" / "small-qgdr").symlink_to(tiny_encoder)
    monkeypatch.chdir(tmp_path)
    found = [
        qgdr.DualEncoder.from_pretrained(name) for name in ("small-qgdr", str(tiny_encoder), tiny_encoder)
    ]
    found.append(qgdr.load_encoder(tiny_encoder, device="cpu"))
    assert len({encoder.fingerprint for encoder in found}) == 1
    with pytest.raises(qgdr.QgdrError, match="unknown encoder 'no-such/small-qgdr/x'"):
        qgdr.DualEncoder.from_pretrained("no-such/small-qgdr/x")


def test_a_corpus_in_memory_gives_the_index_of_the_file(index, corpus, tiny_encoder, tmp_path):
    frame = qgdr.encode_corpus(corpus, tmp_path / "frame", tiny_encoder, precision="fp32", progress=False)
    assert (frame.passages, frame.index) == (185, tmp_path / "frame")
    for name in ("index", "docid"):
        assert (frame.index / name).read_bytes() == (index.index / name).read_bytes()


def test_a_question_is_answered_by_passages_with_their_text(index, corpus, tiny_encoder):
    searcher = qgdr.Searcher(index, qgdr.load_encoder(tiny_encoder, device="cpu"), corpus)
    found = searcher.search("wo entspringt die donau", k=3)
    assert found.columns.tolist() == ["rank", "docid", "score", "title", "text"]
    stock = FaissSearcher(str(index.index), f"qgdr:{tiny_encoder}").search("wo entspringt die donau", k=3)
    assert found.docid.tolist() == [hit.docid for hit in stock]
    np.testing.assert_allclose(found.score, [hit.score for hit in stock], atol=1e-6)
    texts = corpus.set_index("docid").text
    assert found.text.tolist() == texts[found.docid].tolist()
    with pytest.raises(qgdr.QgdrError, match="the question is empty"):
        searcher.search(" ")


def test_an_index_knows_its_encoder(index, tiny_encoder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(qgdr.QgdrError, match="made by 'tiny-qgdr', not to be found by this name"):
        qgdr.Searcher(index)
    (tmp_path / "encoders").mkdir()
    (tmp_path / "encoders" / "tiny-qgdr").symlink_to(tiny_encoder)
    assert len(qgdr.Searcher(index).search("donau", k=2)) == 2


def test_an_index_that_is_none_and_another_encoder_are_refused(index, tiny_encoder, tmp_path):
    with pytest.raises(qgdr.QgdrError, match="no such index"):
        qgdr.Searcher(tmp_path / "none", tiny_encoder)
    other = qgdr.DualEncoder.from_pretrained(tiny_encoder)
    other.config = other.config.model_copy(update={"pooling": "cls"})
    with pytest.raises(qgdr.QgdrError, match="use one encoder for both"):
        qgdr.Searcher(index, other)


def test_passages_beside_an_index_are_shown_without_a_corpus(index, corpus, tiny_encoder, tmp_path):
    found = qgdr.Searcher(index, tiny_encoder).search("donau", k=3)
    texts = corpus.set_index("docid").text
    assert found.text.tolist() == texts[found.docid].tolist()
    bare = qgdr.encode_corpus(corpus, tmp_path / "bare", tiny_encoder, store=False, progress=False)
    alone = qgdr.Searcher(bare, tiny_encoder).search("donau", k=3)
    assert alone.columns.tolist() == ["rank", "docid", "score"]
    assert alone.docid.tolist() == found.docid.tolist()


def test_a_passage_that_the_corpus_lacks_is_named(index, corpus, tiny_encoder):
    searcher = qgdr.Searcher(index, tiny_encoder, corpus[:1])
    with pytest.raises(qgdr.QgdrError, match="the corpus holds no passage 'sample-"):
        searcher.search("donau")


def test_runs_go_to_disk_and_back(dense, tmp_path):
    assert dense.columns.tolist() == ["qid", "docid", "rank", "score"]
    assert len(dense) == 360 * 20
    qgdr.write_run(dense, tmp_path / "run.txt", tag="tiny")
    again = qgdr.read_run(tmp_path / "run.txt")
    assert again.groupby("qid").docid.apply(set).equals(dense.groupby("qid").docid.apply(set))
    np.testing.assert_allclose(again.score.sort_values(), dense.score.sort_values(), atol=1e-6)
    with pytest.raises(qgdr.QgdrError, match="tag"):
        qgdr.write_run(dense, tmp_path / "run.txt", tag="a b")


def test_bm25_finds_what_the_command_finds(sample, corpus, tmp_path):
    topics = qgdr.read_topics(sample).query("lang in ['de', 'es']")
    found = qgdr.bm25(corpus, topics, k=10, progress=False)
    files = [item for lang in ("de", "es") for item in ("--topics", sample.topics[lang])]
    command("bm25", "--corpus", sample.corpus, *files, "--output", tmp_path, "--hits", 10)
    expected = qgdr.read_run(tmp_path / "run.bm25.*.txt")
    by = ["qid", "docid"]
    pd.testing.assert_frame_equal(
        found.sort_values(by, ignore_index=True), expected.sort_values(by, ignore_index=True), atol=1e-6
    )


def test_a_comparison_is_that_of_the_command(dense, sample, tmp_path):
    qgdr.write_run(dense, tmp_path / "dense.txt")
    worse = dense.assign(score=-dense.score)
    qgdr.write_run(worse, tmp_path / "worse.txt")
    runs = {"worse": worse, "dense": tmp_path / "dense.txt"}
    table = qgdr.compare(runs, sample, topics=sample, corpus=sample, output=tmp_path / "report")
    named = [item for name in runs for item in ("--run", f"{name}={tmp_path / name}.txt")]
    command("compare", "--qrels", sample.qrels, *named, "--output", tmp_path / "other")
    ours, theirs = (json.loads((tmp_path / name / "report.json").read_text()) for name in ("report", "other"))
    assert ours["results"] == theirs["results"]
    assert (tmp_path / "report" / "report.html").is_file()
    row = table.query("metric == 'ndcg@10' and language == 'de' and system == 'dense'").iloc[0]
    expected = theirs["results"]["ndcg@10"]["dense"]["languages"]["de"]
    against = expected["against_baseline"]
    assert (row.score, row.queries, row.wins) == (expected["score"], 30, against["wins"])
    assert (row.p, row.difference) == (against["p_holm"], against["difference"])
    assert set(table.language) == {*sample.languages, "mean", "all queries"}
    assert table.query("system == 'worse'").difference.isna().all()


def test_scores_by_query_average_to_those_of_the_table(dense, sample):
    table = qgdr.compare({"dense": dense}, sample, metrics=["recall@10"])
    by_query = qgdr.compare({"dense": dense}, sample, metrics=["recall@10"], per_query=True)
    assert by_query.columns.tolist() == ["metric", "qid", "language", "system", "score"]
    means = by_query.groupby("language").score.mean()
    rows = table[table.language.isin(sample.languages)].set_index("language")
    np.testing.assert_allclose(rows.score[means.index], means)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"runs": {"a": {"q": {"d": 1.0}}}}, "nothing to measure on"),
        ({"runs": {"a": {}}, "qrels": {"q": {"d": 1}}}, "run 'a': holds no hits"),
        ({"runs": {}, "qrels": {"q": {"d": 1}}}, "at least one run"),
        (
            {"runs": {"a": {"q": {"d": 1.0}}}, "qrels": {"q": {"d": 1}}, "baseline": "b"},
            "none of the systems: a",
        ),
        ({"runs": {"a": {"q": {"d": 1.0}}}, "answers": "answers.jsonl"}, "give corpus"),
        ({"runs": {"a": {"q": {"d": 1.0}}}, "qrels": {"x": {"d": 1}}}, "in memory: no query of system 'a'"),
    ],
)
def test_what_cannot_be_compared_is_named(arguments, message):
    with pytest.raises(qgdr.QgdrError, match=message):
        qgdr.compare(**arguments)


def test_fusion_is_that_of_compare(dense, tmp_path):
    other = dense.assign(score=1 / dense["rank"])
    fused = qgdr.fuse({"a": dense, "b": other}, "rrf")
    assert fused.columns.tolist() == ["qid", "docid", "rank", "score"]
    assert fused.groupby("qid").size().eq(20).all()
    with pytest.raises(qgdr.QgdrError, match="unknown method 'rfr'; did you mean rrf"):
        qgdr.fuse({"a": dense, "b": other}, "rfr")
    with pytest.raises(qgdr.QgdrError, match="two runs"):
        qgdr.fuse({"a": dense})


def test_a_dual_encoder_that_ranks_its_own_hits_anew_changes_nothing(dense, sample, tiny_encoder):
    topics = qgdr.read_topics(sample.topics["de"])
    again = qgdr.rerank(dense, qgdr.read_topics(sample), sample, tiny_encoder, depth=5, progress=False)
    assert again.groupby("qid").size().eq(5).all()
    for qid in topics.qid[:5]:
        first = dense[(dense.qid == qid) & (dense["rank"] <= 5)]
        np.testing.assert_allclose(again[again.qid == qid].score, first.score, atol=2e-6)
    with pytest.raises(qgdr.QgdrError, match="of the run is in none of the topics"):
        qgdr.rerank(dense, topics, sample, tiny_encoder, progress=False)


def test_queries_are_encoded_to_vectors_and_for_pyserini(sample, index, tiny_encoder, tmp_path):
    topics = qgdr.read_topics(sample.topics["de"])
    encoder = qgdr.load_encoder(tiny_encoder, device="cpu")
    found = qgdr.encode_queries(topics, encoder, index=index, output=tmp_path / "queries")
    assert found.columns.tolist() == ["qid", "lang", "query", "embedding"]
    np.testing.assert_array_equal(np.stack(found.embedding), encoder.encode_queries(topics["query"].tolist()))
    command(
        "encode-queries",
        "--topics",
        sample.topics["de"],
        "--encoder",
        tiny_encoder,
        "--output",
        tmp_path / "b",
    )
    ours, theirs = (pd.read_pickle(tmp_path / name / "embedding.pkl") for name in ("queries", "b"))
    assert ours.columns.equals(theirs.columns)
    assert ours.text.equals(theirs.text)
    np.testing.assert_allclose(np.stack(ours.embedding), np.stack(theirs.embedding), atol=1e-6)


def test_teachers_load_by_name_and_say_what_they_are_not(tiny_encoder, tmp_path):
    hub_layouts = importlib.import_module("hub_layouts")
    hub_layouts.mt5(tmp_path / "mt5")
    generator = qgdr.QueryGenerator.from_pretrained(tmp_path / "mt5")
    danube = qgdr.Passage("1", "Danube", "It rises in the Black Forest.")
    assert generator.score([qgdr.Query("Wo?", "de")], [danube]).shape == (1, 1)
    with pytest.raises(qgdr.QgdrError, match="cannot write queries"):
        qgdr.QueryGenerator.from_pretrained(tiny_encoder)
    with pytest.raises(qgdr.QgdrError):
        qgdr.CrossEncoder.from_pretrained(tiny_encoder)  # has no trained head
