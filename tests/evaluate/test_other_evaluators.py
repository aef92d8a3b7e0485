"""mteb, BEIR and PyTerrier read what is ours, and agree with our scores."""

import runpy
import sys
from pathlib import Path

import pytest

from qgdr_pyserini.collection.corpus import Passage, write_corpus
from qgdr_pyserini.collection.topics import write_topics
from qgdr_pyserini.collection.trec import Judgement, read_qrels, read_run, write_qrels, write_run
from qgdr_pyserini.evaluate.metrics import score_queries
from qgdr_pyserini.model.dual_encoder import DualEncoder

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "mteb"
MISSING = "NOT TESTED WITH {}: pip install 'qgdr-pyserini[evaluators]'"
LANGUAGES = ("ar", "de", "en", "es", "ru", "zh")
RIVERS = (
    "Danube",
    "Rhine",
    "Elbe",
    "Volga",
    "Nile",
    "Congo",
    "Niger",
    "Amur",
    "Ob",
    "Lena",
    "Indus",
    "Tagus",
)


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    """A collection as `qgdr collection build xquad` leaves it."""
    folder = tmp_path_factory.mktemp("collection")
    passages = [Passage(river, river, f"The {river} rises in the hills.") for river in RIVERS]
    write_corpus(folder / "corpus.jsonl", passages)
    judgements = []
    for language in LANGUAGES:
        topics = {f"{language}-{n}": f"{language} {river}?" for n, river in enumerate(RIVERS)}
        write_topics(folder / f"topics.{language}.tsv", topics)
        judgements += [Judgement(qid, river, 1) for qid, river in zip(topics, RIVERS, strict=True)]
    write_qrels(folder / "qrels.txt", judgements)
    return folder


@pytest.fixture(scope="module")
def run(collection, tiny_encoder, tmp_path_factory):
    """What the encoder finds in exact search, of all languages."""
    encoder = DualEncoder.from_pretrained(tiny_encoder)
    passages = encoder.encode_passages([f"The {river} rises in the hills." for river in RIVERS], RIVERS)
    hits = {}
    for language in LANGUAGES:
        queries = encoder.encode_queries([f"{language} {river}?" for river in RIVERS])
        for number, scores in enumerate(queries @ passages.T):
            found = zip(RIVERS, map(float, scores), strict=True)
            hits[f"{language}-{number}"] = sorted(found, key=lambda hit: -hit[1])
    path = tmp_path_factory.mktemp("run") / "run.txt"
    write_run(path, hits.items(), "tiny")
    return path


@pytest.fixture
def ours(collection, run):
    """nDCG@10 and recall@10 by query, as `qgdr compare` has them."""
    qrels = read_qrels(collection / "qrels.txt")
    return qrels, score_queries(qrels, read_run(run), sorted(qrels), ["ndcg@10", "recall@10"])


def test_beir_scores_our_runs(run, ours):
    pytest.importorskip("beir", reason=MISSING.format("BEIR"))
    from beir.retrieval.evaluation import EvaluateRetrieval

    qrels, scores = ours
    ndcg, _, recall, _ = EvaluateRetrieval.evaluate(qrels, read_run(run), [10])
    assert ndcg["NDCG@10"] == pytest.approx(scores["ndcg@10"].mean(), abs=1e-4)
    assert recall["Recall@10"] == pytest.approx(scores["recall@10"].mean(), abs=1e-4)


def test_pyterrier_reads_our_files(collection, run, ours):
    pt = pytest.importorskip("pyterrier", reason=MISSING.format("PYTERRIER"))
    qrels = pt.io.read_qrels(str(collection / "qrels.txt"))
    found = pt.Evaluate(pt.io.read_results(str(run)), qrels, metrics=["ndcg_cut_10", "recall_10"])
    assert found["ndcg_cut_10"] == pytest.approx(ours[1]["ndcg@10"].mean(), abs=1e-4)
    assert found["recall_10"] == pytest.approx(ours[1]["recall@10"].mean(), abs=1e-4)


def test_mteb_evaluates_our_encoder(collection, tiny_encoder, ours, tmp_path, monkeypatch):
    pytest.importorskip("mteb", reason=MISSING.format("MTEB"))
    from click.testing import CliRunner

    monkeypatch.setenv("MTEB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "path", [str(EXAMPLE), *sys.path])
    command = runpy.run_path(str(EXAMPLE / "evaluate.py"))["main"]
    result = CliRunner().invoke(command, ["--encoder", str(tiny_encoder), "--collection", str(collection)])
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.stdout.splitlines() if line[:2] in LANGUAGES]
    assert [line[0] for line in lines] == list(LANGUAGES)
    qrels, scores = ours
    for language, recall, ndcg in lines:
        places = [place for place, qid in enumerate(sorted(qrels)) if qid.startswith(f"{language}-")]
        assert float(recall) == pytest.approx(scores["recall@10"][places].mean(), abs=1e-3)
        assert float(ndcg) == pytest.approx(scores["ndcg@10"][places].mean(), abs=1e-3)
