"""Batches over a flat index are ranked exactly as each query alone."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch  # noqa: F401  before faiss

# isort: split
import faiss
from hypothesis import given, settings
from hypothesis import strategies as st
from pyserini.encode import QueryEncoder
from pyserini.search.faiss import FaissSearcher
from test_index_types import corpus, options, vectors  # noqa: F401  a fixture

from qgdr_pyserini.encode.encode_corpus import encode_corpus
from qgdr_pyserini.pyserini_plugin.encoders import QgdrQueryEncoder
from qgdr_pyserini.pyserini_plugin.flat_search import FlatSearch, search_flat_indexes_exactly

NOISE = np.random.default_rng(5)


def flat(rows):
    index = faiss.IndexFlatIP(rows.shape[1])
    index.add(np.ascontiguousarray(rows, dtype=np.float32))
    return index


def one_by_one(index, queries, k):
    """What FAISS finds by its loop: one thread, one query at a time."""
    faiss.omp_set_num_threads(1)
    found = [index.search(query[None], k) for query in queries]
    return tuple(np.concatenate(part) for part in zip(*found, strict=True))


@pytest.fixture
def near_ties():
    """Three thousand vectors that BLAS and the loop order differently, some of them there twice."""
    rows = vectors(3000, 96)
    rows[1000:2000] = rows[:1000] * (1 + 1e-7 * NOISE.standard_normal((1000, 1)).astype(np.float32))
    rows[2500:2700] = rows[:200]
    return rows


@pytest.mark.parametrize("k", [1, 10, 99, 100, 700])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_batch_is_ranked_as_each_of_its_queries(k, threads, near_ties):
    index, queries = flat(near_ties), near_ties[:40] + 0.02 * vectors(40, 96)
    scores, rows = one_by_one(index, queries, k)
    faiss.omp_set_num_threads(threads)
    found = FlatSearch(index).search(queries, k)
    np.testing.assert_array_equal(found[0], scores)
    # At the last rank, among equals, FAISS's choice for k >= 100 depends on what else is in the index.
    inside = scores > scores[:, -1:]
    np.testing.assert_array_equal(found[1][inside], rows[inside])
    if k < 100:
        np.testing.assert_array_equal(found[1], rows)


def test_the_data_of_these_tests_would_show_a_difference(near_ties):
    index, queries = flat(near_ties), near_ties[:40] + 0.02 * vectors(40, 96)
    own = faiss.cvar.distance_compute_blas_threshold
    faiss.cvar.distance_compute_blas_threshold = 1
    by_blas = index.search(queries, 99)[1]
    faiss.cvar.distance_compute_blas_threshold = own
    assert (by_blas != one_by_one(index, queries, 99)[1]).any()


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 400), st.integers(1, 40), st.integers(1, 12), st.integers(1, 60), st.integers(0, 2**32 - 1)
)
def test_batches_cut_anywhere_agree(count, dimension, queries, k, seed):
    draw = np.random.default_rng(seed)
    # Few different values: many equal scores.
    rows = draw.integers(-2, 3, (count, dimension)).astype(np.float32)
    asked = draw.integers(-2, 3, (queries, dimension)).astype(np.float32)
    search = FlatSearch(flat(rows)).search
    scores, found = search(asked, k)
    cut = draw.integers(0, queries + 1)
    parts = [search(part, k) for part in (asked[:cut], asked[cut:])]
    np.testing.assert_array_equal(scores, np.concatenate([part[0] for part in parts]))
    np.testing.assert_array_equal(found, np.concatenate([part[1] for part in parts]))
    expected = np.sort(asked @ rows.T, axis=1)[:, ::-1][:, :k]
    np.testing.assert_array_equal(scores[:, : expected.shape[1]], expected)
    assert (found[:, min(k, count) :] == -1).all()


def test_more_are_nominated_where_the_margin_does_not_suffice(monkeypatch):
    index, tried = flat(np.repeat(vectors(1, 8), 500, axis=0)), []
    attempt = FlatSearch._attempt

    def noted(self, queries, k, nominated):
        tried.append(nominated)
        return attempt(self, queries, k, nominated)

    monkeypatch.setattr(FlatSearch, "_attempt", noted)
    _, rows = FlatSearch(index).search(vectors(6, 8), 5)
    assert tried == [21, 84, 336, 1344]
    assert rows.shape == (6, 5)
    np.testing.assert_array_equal(rows, one_by_one(index, vectors(6, 8), 5)[1])


def test_an_index_with_fewer_passages_than_wanted_is_filled_up():
    rows = vectors(3, 8)
    scores, found, rebuilt = FlatSearch(flat(rows)).search_and_reconstruct(rows[:2], 5)
    np.testing.assert_array_equal(found[:, 3:], -1)
    np.testing.assert_array_equal(rebuilt[:, :3], rows[found[:, :3]])
    assert (np.diff(scores[:, :3]) <= 0).all()
    assert np.isnan(rebuilt[:, 3:]).all()


def test_other_indexes_and_options_of_faiss_stay_as_they_are():
    rows = vectors(50, 8)
    graph = faiss.IndexHNSWFlat(8, 8, faiss.METRIC_INNER_PRODUCT)
    search_flat_indexes_exactly(graph)
    assert "search" not in vars(graph)
    index = flat(rows)
    search_flat_indexes_exactly(index)
    assert "search" in vars(index)
    selected = faiss.SearchParameters(sel=faiss.IDSelectorRange(10, 20))
    assert set(index.search(rows[:8], 5, params=selected)[1].ravel()) <= set(range(10, 20))


def test_the_setting_of_faiss_is_put_back():
    own = faiss.cvar.distance_compute_blas_threshold
    FlatSearch(flat(vectors(300, 8))).search(vectors(20, 8), 5)
    assert own == faiss.cvar.distance_compute_blas_threshold


class OtherEncoder(QueryEncoder):
    def encode(self, query, **kwargs):
        return vectors(1)[0]


def test_the_searcher_is_ours_for_our_encoder_and_our_indexes_only(tiny_encoder, corpus, tmp_path):  # noqa: F811
    encode_corpus(corpus, tmp_path / "index", str(tiny_encoder), options=options())
    ours = QgdrQueryEncoder(str(tiny_encoder))
    assert "search" in vars(FaissSearcher(str(tmp_path / "index"), OtherEncoder()).index)
    (tmp_path / "index" / "qgdr.json").unlink()
    assert "search" in vars(FaissSearcher(str(tmp_path / "index"), ours).index)
    assert "search" not in vars(FaissSearcher(str(tmp_path / "index"), OtherEncoder()).index)


def test_idle_threads_sleep_unless_the_user_chose_otherwise():
    probe = "import json, os, pyserini.search.faiss\nprint(json.dumps(os.environ['OMP_WAIT_POLICY']))"
    for chosen, expected in (({}, "passive"), ({"OMP_WAIT_POLICY": "active"}, "active")):
        done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, env=env(chosen))
        assert json.loads(done.stdout.splitlines()[-1]) == expected, done.stderr


def env(more):
    return {key: value for key, value in os.environ.items() if key != "OMP_WAIT_POLICY"} | more
