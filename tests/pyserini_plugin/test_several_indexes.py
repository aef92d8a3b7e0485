"""Shards searched together find what the undivided index finds."""

import shutil

import faiss
import numpy as np
import pytest
from test_flat_search import flat
from test_index_types import corpus, options, shards, vectors  # noqa: F401  fixtures

from qgdr_pyserini.collection.topics import write_topics
from qgdr_pyserini.encode.merge import merge_shards
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.pyserini_plugin.search import search
from qgdr_pyserini.pyserini_plugin.several_indexes import SeveralIndexes


@pytest.fixture
def work(shards, tiny_encoder, tmp_path):  # noqa: F811
    merge_shards(tmp_path / "whole", shards, index_type="flat")
    write_topics(tmp_path / "topics.tsv", {f"q{i}": f"river near town {i}" for i in range(5)})
    return tmp_path


def ranked(work, indexes, encoder, *more):
    named = [option for index in indexes for option in ("--index", str(index))]
    search(
        [
            *named,
            *("--encoder", f"qgdr:{encoder}", "--topics", str(work / "topics.tsv")),
            *("--output", str(work / "run.txt"), "--hits", "20", *more),
        ]
    )
    return (work / "run.txt").read_text()


@pytest.mark.parametrize("more", [(), ("--batch-size", "3"), ("--prf-depth", "3", "--batch-size", "2")])
def test_shards_together_are_the_undivided_index(more, work, shards, tiny_encoder):  # noqa: F811
    assert ranked(work, shards, tiny_encoder, *more) == ranked(work, [work / "whole"], tiny_encoder, *more)


def test_parts_of_any_kind_and_size_are_merged_by_score():
    rows = vectors(60, 8)
    graph = faiss.IndexHNSWFlat(8, 16, faiss.METRIC_INNER_PRODUCT)
    graph.add(rows[3:40])
    together = SeveralIndexes([flat(rows[:3]), graph, flat(rows[40:])])
    assert (together.ntotal, together.d) == (60, 8)
    scores, found = together.search(rows[:7], 10)
    expected = flat(rows).search(rows[:7], 10)
    np.testing.assert_array_equal(found, expected[1])
    np.testing.assert_allclose(scores, expected[0], atol=1e-6)
    together = SeveralIndexes([flat(rows[:3]), flat(rows[3:])])
    _, found, rebuilt = together.search_and_reconstruct(rows[:2], 70)
    assert (np.sort(found[:, :60], axis=1) == np.arange(60)).all()
    assert (found[:, 60:] == -1).all()
    np.testing.assert_array_equal(rebuilt[0, :60], rows[found[0, :60]])


def test_indexes_that_do_not_go_together(work, shards, tiny_encoder):  # noqa: F811
    with pytest.raises(QgdrError, match=r"passage 'd0' is in .* too; ids must differ"):
        ranked(work, [shards[0], work / "whole"], tiny_encoder)
    other = shutil.copytree(shards[1], work / "other")
    count = faiss.read_index(str(other / "index")).ntotal
    faiss.write_index(flat(vectors(count, 8)), str(other / "index"))
    with pytest.raises(QgdrError, match="dimension 8, but 32 in"):
        ranked(work, [shards[0], other], tiny_encoder)
    with pytest.raises(QgdrError, match="nowhere: no such index"):
        ranked(work, [shards[0], "nowhere"], tiny_encoder)
