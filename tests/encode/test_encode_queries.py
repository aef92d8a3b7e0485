"""Encoded queries, and every kind of index, through stock Pyserini."""

import os
import pickle
import shutil
import subprocess
import sys

import numpy as np
import pytest
from test_index_types import options, passage

from qgdr_pyserini.collection.corpus import write_corpus
from qgdr_pyserini.collection.topics import write_topics
from qgdr_pyserini.encode.encode_corpus import encode_corpus
from qgdr_pyserini.encode.faiss_types import INDEX_TYPES
from qgdr_pyserini.encode.queries import encode_queries, refuse_other_encoder
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.dual_encoder import DualEncoder

QUERIES = {"en-1": "which river passes vienna", "de-2": "wo ist die donau", "en-3": "black forest north"}


@pytest.fixture(scope="module")
def work(tiny_encoder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("work")
    write_corpus(folder / "corpus.jsonl", map(passage, range(150)))
    write_topics(folder / "topics.tsv", QUERIES)
    for kind in INDEX_TYPES:
        encode_corpus(folder / "corpus.jsonl", folder / kind, str(tiny_encoder), options=options(kind))
    encode_queries(folder / "topics.tsv", folder / "queries", str(tiny_encoder), index=folder / "flat")
    return folder


# Starting Pyserini takes seconds, so one process searches all kinds, with its own command's code.
STOCK = """
import runpy, sys
work, *kinds = sys.argv[1:]
for kind in kinds:
    for prf in ("", "--prf-method avg --prf-depth 3", "--prf-method rocchio --prf-depth 3"):
        name = prf.split()[1] if prf else "plain"
        sys.argv = f"x --encoded-queries {work}/queries --index {work}/{kind}".split()
        sys.argv += f"--topics {work}/topics.tsv --output {work}/run.{kind}.{name}".split()
        sys.argv += f"--hits 10 --threads 1 --batch-size 2 {prf}".split()
        runpy.run_module("pyserini.search.faiss", run_name="__main__", alter_sys=True)
"""


def test_stock_pyserini_searches_every_kind_and_feeds_back(work):
    kinds = INDEX_TYPES
    environment = os.environ | {"QGDR_PLUGIN": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", f"import qgdr_pyserini.pyserini_plugin.hook as h; h.install()\n{STOCK}"]
    done = subprocess.run([*command, str(work), *kinds], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    runs = {path.name: path.read_text().split("\n")[:-1] for path in work.glob("run.*")}
    assert len(runs) == 21
    assert {len(run) for run in runs.values()} == {30}
    ranked = {name: [tuple(line.split()[::2][:2]) for line in run] for name, run in runs.items()}
    for kind, least in {"fp16": 27, "sq8": 20, "hnsw": 25, "ivf": 15, "pq": 2, "ivfpq": 2}.items():
        assert len(set(ranked[f"run.{kind}.plain"]) & set(ranked["run.flat.plain"])) >= least, kind


def test_encoded_queries_are_the_encoders_vectors(work, tiny_encoder):
    with (work / "queries" / "embedding.pkl").open("rb") as file:
        table = pickle.load(file)
    assert list(table.columns) == ["id", "text", "embedding"]
    assert dict(zip(table["id"], table["text"], strict=True)) == QUERIES
    expected = DualEncoder.from_pretrained(tiny_encoder).encode_queries(list(QUERIES.values()))
    np.testing.assert_allclose(np.stack(table["embedding"].tolist()), expected, atol=1e-6)


def test_an_index_of_another_encoder_is_refused(work, tiny_encoder, tmp_path):
    other = shutil.copytree(tiny_encoder, tmp_path / "other-qgdr")
    model = DualEncoder.from_pretrained(other)
    model.model.embeddings.word_embeddings.weight.data[5] += 1
    model.save_pretrained(other)
    with pytest.raises(QgdrError, match=r"flat: encoded by tiny-qgdr \(sha256:.*queries by other-qgdr"):
        encode_queries(work / "topics.tsv", tmp_path / "queries", str(other), index=work / "flat")
    assert not (tmp_path / "queries").exists()
    with pytest.raises(QgdrError, match="use one encoder for both"):
        refuse_other_encoder(work / "flat", str(other))
    refuse_other_encoder(work / "flat", str(tiny_encoder))
    refuse_other_encoder(work, str(other))
