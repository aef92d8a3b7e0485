"""An index goes to Lucene and Milvus, and is searched there as here."""

import json

import numpy as np
import pyarrow.parquet
import pytest
from click.testing import CliRunner
from test_index_types import corpus, vectors  # noqa: F401  a fixture

from qgdr_pyserini.cli.main import main
from qgdr_pyserini.encode.encode_corpus import encode_corpus
from qgdr_pyserini.encode.export import StoredVectors
from qgdr_pyserini.encode.faiss_types import INDEX_TYPES
from qgdr_pyserini.encode.importing import import_embeddings
from qgdr_pyserini.encode.options import EncodingOptions
from qgdr_pyserini.errors import InputError, QgdrError
from qgdr_pyserini.pyserini_plugin.lucene_vectors import LocalDenseSearcher

EXACT = ("flat", "hnsw", "ivf")


@pytest.fixture(scope="module")
def indexes(tmp_path_factory, tiny_encoder, corpus):  # noqa: F811
    folder = tmp_path_factory.mktemp("indexes")
    for kind in INDEX_TYPES:
        encode_corpus(corpus, folder / kind, str(tiny_encoder), options=EncodingOptions(index_type=kind))
    return folder


def stored(index, size=40):
    blocks = list(StoredVectors(index).blocks(size))
    return [docid for ids, _ in blocks for docid in ids], np.concatenate([part for _, part in blocks])


def export(*arguments):
    return CliRunner().invoke(main, ["export", *map(str, arguments)])


@pytest.mark.parametrize("kind", INDEX_TYPES)
def test_an_index_gives_back_its_vectors_in_the_order_of_the_corpus(indexes, kind):
    ids, found = stored(indexes / kind)
    assert ids == [f"d{number}" for number in range(150)]
    _, exact = stored(indexes / "flat")
    if kind in EXACT:
        assert np.array_equal(found, exact)
    else:
        assert (np.sum(found * exact, axis=1) / np.linalg.norm(found, axis=1)).min() > 0.8


@pytest.mark.parametrize("kind", ["hnsw", "flat"])
def test_lucene_ranks_as_the_vectors_do(indexes, kind, tmp_path):
    done = export("lucene", "--index", indexes / "ivf", "--output", tmp_path / "lucene", "--kind", kind)
    assert (done.exit_code, done.stdout) == (0, f"150 passages, Lucene {kind}: {tmp_path / 'lucene'}\n")
    ids, passages = stored(indexes / "flat")
    searcher = LocalDenseSearcher(str(tmp_path / "lucene"), 150 if kind == "hnsw" else None)
    for query in vectors(5):
        products = passages @ query
        best = np.argsort(-products)[:10]
        hits = searcher.search(query.tolist(), 10)
        np.testing.assert_allclose([2 * hit.score - 1 for hit in hits], products[best], atol=2e-6)
        assert {hit.docid for hit in hits[:9]} <= {ids[row] for row in best}
    searcher.close()
    assert json.loads((tmp_path / "lucene" / "qgdr.json").read_text())["passages"] == 150
    assert [path.name for path in tmp_path.iterdir()] == ["lucene"]


def test_lucene_refuses_queries_of_another_encoder(indexes, tiny_encoder, tmp_path):
    assert export("lucene", "--index", indexes / "flat", "--output", tmp_path / "lucene").exit_code == 0
    from pyserini.search.lucene import LuceneHnswDenseSearcher

    searcher = LuceneHnswDenseSearcher(str(tmp_path / "lucene"), encoder=f"qgdr:{tiny_encoder}")
    assert len(searcher.search("passage 3", 10)) == 10
    with pytest.raises(QgdrError, match=r"encoded by .* the queries by qgdr .* use one encoder for both"):
        LuceneHnswDenseSearcher(str(tmp_path / "lucene"), encoder="qgdr")
    (tmp_path / "lucene" / "qgdr.json").unlink()
    LuceneHnswDenseSearcher(str(tmp_path / "lucene"), encoder="qgdr")


def test_what_milvus_imports_is_the_index(indexes, tmp_path):
    done = export("milvus", "--index", indexes / "hnsw", "--output", tmp_path / "milvus")
    assert done.exit_code == 0
    table = pyarrow.parquet.read_table(tmp_path / "milvus" / "part-00001.parquet")
    assert [str(field.type) for field in table.schema] == ["string", "list<element: float>"]
    schema = json.loads((tmp_path / "milvus" / "schema.json").read_text())
    assert schema["fields"][0]["max_length"] == len("d149")
    assert (schema["fields"][1]["dim"], schema["metric_type"]) == (32, "IP")
    import_embeddings([tmp_path / "milvus" / "part-00001.parquet"], tmp_path / "back")
    for name in ("index", "docid"):
        assert (tmp_path / "back" / name).read_bytes() == (indexes / "flat" / name).read_bytes()


@pytest.mark.parametrize("target", ["lucene", "milvus"])
def test_a_damaged_index_is_named_and_leaves_nothing(indexes, target, tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir()
    for path in (indexes / "flat").iterdir():
        (broken / path.name).write_bytes(path.read_bytes())
    (broken / "docid").write_text("d0\nd1\n")
    done = export(target, "--index", broken, "--output", tmp_path / "out")
    assert done.exit_code == 2
    assert done.stderr == f"Error: {broken}: has fewer ids than vectors; encode the corpus again\n"
    assert not (tmp_path / "out").exists()
    (broken / "index").write_bytes(b"IxFI")
    with pytest.raises(InputError, match="missing or damaged"):
        StoredVectors(broken)
    done = export(target, "--index", indexes / "flat", "--output", broken)
    assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1)
    assert "already exists" in done.stderr
