"""What the report says of an index is what the index does."""

import faiss
import numpy as np
import pytest
from click.testing import CliRunner
from test_index_types import options, passage

from qgdr_pyserini.cli import main
from qgdr_pyserini.collection.corpus import write_corpus
from qgdr_pyserini.collection.topics import write_topics
from qgdr_pyserini.encode.encode_corpus import encode_corpus
from qgdr_pyserini.encode.faiss_types import INDEX_TYPES
from qgdr_pyserini.encode.importing import import_embeddings
from qgdr_pyserini.encode.report import report_index
from qgdr_pyserini.errors import QgdrError

SETTINGS = {"hnsw": "efSearch 128", "ivf": "nprobe 1", "ivfpq": "nprobe 1"}


@pytest.fixture(scope="module")
def work(tiny_encoder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("reported")
    write_corpus(folder / "corpus.jsonl", map(passage, range(200)))
    write_topics(folder / "topics.en.tsv", {f"q{i}": passage(i).text for i in range(10)})
    for kind in INDEX_TYPES:
        encode_corpus(folder / "corpus.jsonl", folder / kind, str(tiny_encoder), options=options(kind))
    return folder


@pytest.mark.parametrize("kind", INDEX_TYPES)
def test_every_kind_is_reported(kind, work, tiny_encoder):
    report = report_index(
        work / kind, [work / "topics.en.tsv"], exact=work / "flat", encoder=str(tiny_encoder), k=5
    )
    assert (report.index_type, report.passages, report.queries, report.k) == (kind, 200, 10, 5)
    assert report.size == (work / kind / "index").stat().st_size
    (saved,) = [row for row in report.rows if row.saved]
    assert saved.setting == SETTINGS.get(kind, "")
    assert all(row.single > 0 and row.batch > 0 for row in report.rows)
    recalls = [row.recall for row in report.rows]
    assert recalls == sorted(recalls)
    assert recalls[-1] >= (0.1 if "pq" in kind else 0.9)
    assert kind != "flat" or recalls == [1.0]


def test_recall_without_a_flat_index(work, tiny_encoder):
    for kind in INDEX_TYPES:
        report = report_index(work / kind, [work / "topics.en.tsv"], encoder=str(tiny_encoder))
        assert (report.rows[-1].recall is not None) == (kind in ("flat", "hnsw", "ivf")), kind


def test_the_index_is_left_as_it_was(work, tiny_encoder):
    before = (work / "ivf" / "index").read_bytes()
    report_index(work / "ivf", [work / "topics.en.tsv"], encoder=str(tiny_encoder))
    assert (work / "ivf" / "index").read_bytes() == before
    assert faiss.read_index(str(work / "ivf" / "index")).nprobe == 1


def test_the_command_prints_a_table_and_one_line_for_mistakes(work, tiny_encoder):
    arguments = ["index-report", str(work / "hnsw"), "--encoder", str(tiny_encoder), "--topics"]
    done = CliRunner().invoke(main, [*arguments, str(work / "topics.*.tsv")])
    assert done.exit_code == 0, done.stderr
    lines = done.output.splitlines()
    assert lines[0] == "hnsw: 200 passages of dimension 32 by tiny-qgdr"
    assert lines[2].endswith("recall against the vectors in it")
    assert len([line for line in lines if line.strip().startswith("efSearch")]) == 5
    assert len([line for line in lines if "128 *" in line]) == 1
    done = CliRunner().invoke(main, [*arguments, str(work / "nowhere.tsv")])
    assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1)


def test_what_does_not_fit_is_refused(work, tiny_encoder, tmp_path):
    topics = [work / "topics.en.tsv"]
    write_corpus(tmp_path / "other.jsonl", map(passage, range(5, 205)))
    encode_corpus(tmp_path / "other.jsonl", tmp_path / "other", str(tiny_encoder), options=options())
    with pytest.raises(QgdrError, match="holds other passages"):
        report_index(work / "ivf", topics, exact=tmp_path / "other", encoder=str(tiny_encoder))
    with pytest.raises(QgdrError, match="not a flat index of dimension 32"):
        report_index(work / "ivf", topics, exact=work / "hnsw", encoder=str(tiny_encoder))
    with pytest.raises(QgdrError, match="use one encoder for both"):
        report_index(work / "ivf", topics, encoder="qgdr")
    with pytest.raises(QgdrError, match=r"no qgdr\.json"):
        report_index(tmp_path, topics)


def test_an_imported_index_has_its_encoder_named(work, tiny_encoder, tmp_path):
    found = faiss.read_index(str(work / "flat" / "index"))
    np.save(tmp_path / "rows.npy", found.reconstruct_n(0, 200))
    import_embeddings([tmp_path / "rows.npy"], tmp_path / "index", ids=[work / "flat" / "docid"])
    with pytest.raises(QgdrError, match="name it with --encoder"):
        report_index(tmp_path / "index", [work / "topics.en.tsv"])
    report = report_index(tmp_path / "index", [work / "topics.en.tsv"], encoder=str(tiny_encoder))
    assert report.rows[0].recall == 1
    with pytest.raises(QgdrError, match="dimension 32, but qgdr has 384"):
        report_index(tmp_path / "index", [work / "topics.en.tsv"], encoder="qgdr")
