"""Every place where Pyserini takes an encoder, by its real command, without network.

The table in docs/reference/pyserini.md is theirs. All of them search the same 185 passages with the same 30
questions, so all rankings have to be the one that the encoder's vectors give by hand.
"""

import json
import re
import shutil
from collections.abc import Callable
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from packaging.specifiers import SpecifierSet
from pyserini_process import HERE, command, python

from qgdr_pyserini.collection.corpus import read_corpus
from qgdr_pyserini.collection.topics import read_topics
from qgdr_pyserini.collection.trec import rank_hits, read_qrels
from qgdr_pyserini.evaluate.metrics import score_queries
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.registry import find_encoder

SAMPLE = HERE.parent / "qgdr_pyserini" / "collection" / "sample"
DOCUMENT = HERE.parent / "docs" / "reference" / "pyserini.md"
INSTALLED = version("pyserini")
TOP = 10

Ranking = dict[str, list[tuple[str, float]]]


class Bench:
    """A folder with the sample collection and, made when first needed, what is searched."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "corpus").mkdir()
        shutil.copy(SAMPLE / "corpus.jsonl", folder / "corpus")
        shutil.copy(SAMPLE / "topics.de.tsv", folder)
        self.everything = str(len(self.docids))

    def run(self, *arguments: str) -> str:
        return command(*arguments, cwd=self.folder)

    def search(self, *options: str) -> Ranking:
        """Run a search of the topics, by module and options, and return the best of its TREC run."""
        self.run(*options, "--topics", "topics.de.tsv", "--hits", self.everything, "--output", "run.txt")
        return self.best_of("run.txt")

    def best_of(self, run: str) -> Ranking:
        ranking: Ranking = {}
        for line in (self.folder / run).read_text().splitlines():
            qid, _, docid, _, score, _ = line.split()
            ranking.setdefault(qid, []).append((docid, float(score)))
        return {qid: hits[:TOP] for qid, hits in ranking.items()}

    @cached_property
    def docids(self) -> list[str]:
        return [passage.docid for passage in read_corpus(SAMPLE / "corpus.jsonl")]

    @cached_property
    def vectors(self) -> tuple[np.ndarray, np.ndarray]:
        """The vectors of passages and questions, from the encoder itself."""
        encoder = DualEncoder.from_pretrained(find_encoder("qgdr"))
        passages = list(read_corpus(SAMPLE / "corpus.jsonl"))
        titles = [passage.title for passage in passages]
        return (
            encoder.encode_passages([passage.text for passage in passages], titles),
            encoder.encode_queries(list(self.queries.values())),
        )

    @cached_property
    def queries(self) -> dict[str, str]:
        return dict(read_topics(SAMPLE / "topics.de.tsv"))

    def exact(self, queries: np.ndarray) -> Ranking:
        """Rank all passages for each vector by inner product."""
        scores = queries @ self.vectors[0].T
        order = np.argsort(-scores, axis=1)[:, :TOP]
        return {
            qid: [(self.docids[i], float(row[i])) for i in best]
            for qid, row, best in zip(self.queries, scores, order, strict=True)
        }

    @cached_property
    def index(self) -> str:
        self.run(*ENCODE, "output", "--embeddings", "index", "--to-faiss", *WITH_QGDR)
        return "index"

    @cached_property
    def texts(self) -> str:
        options = ["--collection", "JsonCollection", "--input", "corpus", "--index", "lucene", "--storeRaw"]
        self.run("pyserini.index.lucene", *options, "--generator", "DefaultLuceneDocumentGenerator")
        return "lucene"

    @cached_property
    def vectors_file(self) -> str:
        self.run(*ENCODE, "output", "--embeddings", "vectors", *WITH_QGDR)
        return "vectors/embeddings.jsonl"

    def lucene_vectors(self, kind: str) -> str:
        """Index the vectors with Anserini, which wants a ``docid``."""
        source = (self.folder / self.vectors_file).read_text()
        (self.folder / "anserini").mkdir(exist_ok=True)
        renamed = source.replace('{"id": ', '{"docid": ')
        (self.folder / "anserini" / "vectors.jsonl").write_text(renamed)
        code = "import sys; from pyserini.pyclass import autoclass; autoclass(sys.argv[1]).main(sys.argv[2:])"
        options = ["-collection", "JsonDenseVectorCollection", "-input", "anserini", "-index", kind]
        name = f"io.anserini.index.Index{kind.capitalize()}DenseVectors"
        generator = ["-generator", "DenseVectorDocumentGenerator"]
        done = python("-c", code, name, *options, *generator, cwd=self.folder)
        assert f"Total {self.everything} documents indexed" in done.stdout, done.stderr
        return kind


ENCODE = ["pyserini.encode", "input", "--corpus", "corpus", "--fields", "title", "text"]
WITH_QGDR = ["encoder", "--encoder", "qgdr", "--fields", "title", "text"]
ENTRY_POINTS: dict[str, tuple[Callable[[Bench], None], str]] = {}


def entry_point(name: str, versions: str = ">=1.6") -> Callable[[Callable[[Bench], None]], None]:
    """Register what checks an entry point, and the Pyserini that has it."""

    def register(check: Callable[[Bench], None]) -> None:
        ENTRY_POINTS[name] = (check, versions)

    return register


def assert_same(found: Ranking, expected: Ranking) -> None:
    """See that rankings are the same, but for the order of scores that differ in the sixth place."""
    assert list(found) == list(expected)
    for qid, hits in expected.items():
        ours = found[qid]
        np.testing.assert_allclose([score for _, score in ours], [score for _, score in hits], atol=2e-6)
        for (docid, _), (wanted, score) in zip(ours, hits, strict=True):
            assert docid == wanted or (docid, score) in [
                (other, pytest.approx(near, abs=2e-6)) for other, near in hits
            ]


@entry_point("`pyserini.encode` to JSON Lines")
def encode_to_json(bench: Bench) -> None:
    rows = [json.loads(line) for line in (bench.folder / bench.vectors_file).read_text().splitlines()]
    assert [row["id"] for row in rows] == bench.docids
    np.testing.assert_allclose([row["vector"] for row in rows], bench.vectors[0], atol=1e-6)


@entry_point("`pyserini.encode` to FAISS, `pyserini.search.faiss`")
def search_faiss(bench: Bench) -> None:
    found = bench.search("pyserini.search.faiss", "--encoder", "qgdr", "--index", bench.index)
    assert_same(found, bench.exact(bench.vectors[1]))


@entry_point("`--batch-size`, `--threads`, `--encoder-class qgdr`")
def search_in_batches(bench: Bench) -> None:
    options = ["--encoder", "qgdr", "--encoder-class", "qgdr", "--batch-size", "8", "--threads", "2"]
    found = bench.search("pyserini.search.faiss", *options, "--index", bench.index)
    assert_same(found, bench.exact(bench.vectors[1]))


@entry_point("`pyserini.encode.query`, `--encoded-queries`")
def encode_query(bench: Bench) -> None:
    (bench.folder / "queries").mkdir()
    output = ["--output", "queries/embedding.pkl"]
    bench.run("pyserini.encode.query", "--topics", "topics.de.tsv", "--encoder", "qgdr", *output)
    found = bench.search("pyserini.search.faiss", "--encoded-queries", "queries", "--index", bench.index)
    assert_same(found, bench.exact(bench.vectors[1]))


@entry_point("pseudo-relevance feedback")
def feedback(bench: Bench) -> None:
    options = ["--encoder", "qgdr", "--prf-depth", "3", "--prf-method", "avg"]
    found = bench.search("pyserini.search.faiss", *options, "--index", bench.index)
    passages, queries = bench.vectors
    best = np.argsort(-(queries @ passages.T), axis=1)[:, :3]
    averages = np.mean(np.concatenate([queries[:, None], passages[best]], axis=1), axis=1)
    assert_same(found, bench.exact(averages))


@entry_point("`pyserini.search.hybrid` with BM25")
def hybrid(bench: Bench) -> None:
    run = ["run", "--topics", "topics.de.tsv", "--hits", bench.everything, "--output", "hybrid.txt"]
    dense = ["dense", "--index", bench.index, "--encoder", "qgdr", "sparse", "--index", bench.texts]
    fusion = ["fusion", "--alpha", "0", "--hits", bench.everything]
    bench.run("pyserini.search.hybrid", *dense, *fusion, *run)
    assert_same(bench.best_of("hybrid.txt"), bench.exact(bench.vectors[1]))


@entry_point("`pyserini.fusion` and `pyserini.eval.trec_eval` of our runs")
def fusion(bench: Bench) -> None:
    bench.search("pyserini.search.faiss", "--encoder", "qgdr", "--index", bench.index)
    bench.run("pyserini.fusion", "--runs", "run.txt", "run.txt", "--output", "fused.txt", "--method", "rrf")
    fused, run = bench.best_of("fused.txt"), bench.best_of("run.txt")
    assert {qid: [docid for docid, _ in hits] for qid, hits in fused.items()} == {
        qid: [docid for docid, _ in hits] for qid, hits in run.items()
    }
    qrels = SAMPLE / "qrels.txt"
    printed = bench.run("pyserini.eval.trec_eval", "-m", "recall.1", str(qrels), "run.txt")
    best = {qid: rank_hits(dict(hits)) for qid, hits in run.items()}
    recall = score_queries(read_qrels(qrels), best, list(run), ["recall@1"])["recall@1"].mean()
    assert re.search(r"recall_1\s+all\s+(\S+)", printed)[1] == f"{recall:.4f}"


@entry_point('`FaissSearcher(index, "qgdr")`')
def faiss_searcher(bench: Bench) -> None:
    code = (
        "import json, sys; from pyserini.search.faiss import FaissSearcher\n"
        "searcher = FaissSearcher(sys.argv[1], 'qgdr')\n"
        "found = {qid: searcher.search(query, 10) for qid, query in json.loads(sys.argv[2]).items()}\n"
        "print(json.dumps({q: [(hit.docid, float(hit.score)) for hit in hits] for q, hits in found.items()}))"
    )
    done = python("-c", code, bench.index, json.dumps(bench.queries), cwd=bench.folder)
    found = json.loads(done.stdout.splitlines()[-1])
    assert_same(
        {qid: [tuple(hit) for hit in hits] for qid, hits in found.items()}, bench.exact(bench.vectors[1])
    )


@entry_point("Lucene HNSW: `search.lucene --dense --hnsw --onnx-encoder qgdr`")
def lucene_hnsw(bench: Bench) -> None:
    options = ["--dense", "--hnsw", "--ef-search", bench.everything, "--index", bench.lucene_vectors("hnsw")]
    found = bench.search("pyserini.search.lucene", *options, "--onnx-encoder", "qgdr")
    assert_same(_as_inner_products(found), bench.exact(bench.vectors[1]))


@entry_point("Lucene flat: `search.lucene --dense --flat --onnx-encoder qgdr`")
def lucene_flat(bench: Bench) -> None:
    options = ["--dense", "--flat", "--batch-size", "8", "--index", bench.lucene_vectors("flat")]
    found = bench.search("pyserini.search.lucene", *options, "--onnx-encoder", "qgdr")
    assert_same(_as_inner_products(found), bench.exact(bench.vectors[1]))


def _as_inner_products(found: Ranking) -> Ranking:
    """Undo Lucene's (1 + s) / 2."""
    return {qid: [(docid, 2 * score - 1) for docid, score in hits] for qid, hits in found.items()}


def _served(bench: Bench, kind: str) -> None:
    lines = ["indexes:", f"  texts: {{path: {bench.texts}}}"]
    dense = f"{{path: {bench.index}, index_type: faiss, encoder: qgdr, base_index: texts}}"
    (bench.folder / "server.yaml").write_text("\n".join([*lines, f"  sample: {dense}"]) + "\n")
    arguments = [str(HERE / "serving.py"), kind, "server.yaml", "sample", "topics.de.tsv"]
    done = python(*arguments, cwd=bench.folder)
    assert done.returncode == 0, done.stderr + (bench.folder / f"{kind}.log").read_text()
    found = json.loads(done.stdout.splitlines()[-1])
    assert_same(
        {qid: [tuple(hit) for hit in hits] for qid, hits in found.items()}, bench.exact(bench.vectors[1])
    )


@entry_point("REST server", ">=2.1")
def rest_server(bench: Bench) -> None:
    _served(bench, "rest")


@entry_point("MCP server", ">=2.1")
def mcp_server(bench: Bench) -> None:
    _served(bench, "mcp")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("bench"))


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_an_entry_point_gives_the_ranking_of_the_vectors(bench: Bench, name: str) -> None:
    check, versions = ENTRY_POINTS[name]
    if not SpecifierSet(versions).contains(INSTALLED):
        pytest.skip(f"Pyserini {INSTALLED} has no such thing for local indexes")
    check(bench)


@pytest.mark.parametrize("line", ["1.6.0", "2.4.0"])
def test_the_table_in_the_documentation_says_what_is_tested(line: str) -> None:
    rows = [
        row.strip("| \n").split(" | ") for row in DOCUMENT.read_text().splitlines() if row.startswith("| ")
    ]
    header = next(row for row in rows if row[0] == "entry point")
    column = next(i for i, cell in enumerate(header) if line in cell)
    said = {row[0]: row[column] for row in rows[rows.index(header) + 1 :] if row[0] in ENTRY_POINTS}
    tested = {name: SpecifierSet(versions).contains(line) for name, (_, versions) in ENTRY_POINTS.items()}
    assert {name: cell == "yes" for name, cell in said.items()} == tested
