"""An index searched with queries of another encoder."""

import json
from pathlib import Path

import faiss
import numpy as np
import pandas as pd
import pytest
from pyserini.encode import QueryEncoder
from pyserini.search.faiss import FaissSearcher
from pyserini_process import python

from qgdr_pyserini.encode.encode_corpus import encode_corpus
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.pyserini_plugin.encoders import QgdrQueryEncoder


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Path:
    folder = tmp_path_factory.mktemp("ours")
    rows = [{"id": f"p{i}", "contents": f"passage {i}"} for i in range(5)]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "topics.tsv").write_text("q1\tpassage 3\n")
    encode_corpus(folder / "corpus.jsonl", folder / "index", str(tiny_encoder))
    return folder / "index"


def test_the_encoder_that_made_an_index_may_search_it(index: Path, tiny_encoder: Path) -> None:
    searcher = FaissSearcher(str(index), f"qgdr:{tiny_encoder}")
    assert searcher.search("passage 3", k=1)[0].docid == "p3"


def test_another_encoder_of_ours_is_refused_by_its_fingerprint(index: Path) -> None:
    with pytest.raises(QgdrError, match=r"encoded by .* the queries by qgdr .* use one encoder for both"):
        FaissSearcher(str(index), "qgdr")


def test_the_command_ends_in_one_line(index: Path) -> None:
    options = ["--encoder", "qgdr", "--index", "index", "--topics", "topics.tsv", "--output", "run.txt"]
    done = python("-m", "pyserini.search.faiss", *options, cwd=index.parent)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("Error: index: encoded by ")
    assert "Traceback" not in done.stderr
    assert not (index.parent / "run.txt").exists()


def flat_index(folder: Path, dimension: int) -> str:
    folder.mkdir()
    made = faiss.IndexFlatIP(dimension)
    made.add(np.ones((1, dimension), np.float32))
    faiss.write_index(made, str(folder / "index"))
    (folder / "docid").write_text("p\n")
    return str(folder)


def test_an_index_of_unknown_make_is_refused_by_its_dimension(tmp_path: Path, tiny_encoder: Path) -> None:
    assert FaissSearcher(flat_index(tmp_path / "fits", 32), QgdrQueryEncoder(str(tiny_encoder))).num_docs == 1
    with pytest.raises(QgdrError, match="its vectors have 7 dimensions, those of the queries 32"):
        FaissSearcher(flat_index(tmp_path / "other", 7), QgdrQueryEncoder(str(tiny_encoder)))


def test_queries_encoded_beforehand_are_compared_by_dimension(tmp_path: Path) -> None:
    table = pd.DataFrame({"id": ["q"], "text": ["cheese"], "embedding": [np.ones(5, np.float32)]})
    (tmp_path / "queries").mkdir()
    table.to_pickle(tmp_path / "queries" / "embedding.pkl")
    queries = QueryEncoder(str(tmp_path / "queries"))
    assert FaissSearcher(flat_index(tmp_path / "fits", 5), queries).search("cheese")[0].docid == "p"
    with pytest.raises(QgdrError, match="7 dimensions, those of the queries 5"):
        FaissSearcher(flat_index(tmp_path / "other", 7), queries)


def test_a_foreign_encoder_on_an_index_of_ours_is_warned_of(index: Path) -> None:
    class Foreign(QueryEncoder):  # type: ignore[misc]
        has_model = True

        def __init__(self) -> None:
            self.has_model = True

    with pytest.warns(UserWarning, match=r"encoded by qgdr-pyserini, its queries are by Foreign"):
        FaissSearcher(str(index), Foreign())


def test_a_manifest_that_cannot_be_read_is_an_error(tmp_path: Path, tiny_encoder: Path) -> None:
    folder = flat_index(tmp_path / "index", 32)
    (Path(folder) / "qgdr.json").write_text("{}")
    with pytest.raises(QgdrError, match="not the manifest of an index"):
        FaissSearcher(folder, QgdrQueryEncoder(str(tiny_encoder)))
