"""Fusion by ranx: against the formulas, with ties, missing queries and every method that is offered."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyserini.fusion import normalize
from pyserini.trectools import TrecRun

from qgdr_pyserini.collection.trec import rank_hits
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.evaluate.fusion import BY_RANK, BY_SCORE, add_fused, fuse, min_max
from qgdr_pyserini.evaluate.systems import System

DOCIDS = st.sampled_from(["a", "b", "c", "dé", "多"])
HITS = st.dictionaries(DOCIDS, st.sampled_from([0.0, 0.5, 1.0]), min_size=1)
RUNS = st.dictionaries(st.sampled_from(["q1", "q2", "q3"]), HITS, min_size=1)


def system(name, run):
    return System(name, (f"{name}.txt",), {qid: rank_hits(hits) for qid, hits in run.items()})


@settings(max_examples=60, deadline=None)
@given(RUNS, RUNS)
def test_reciprocal_ranks_are_added_and_ties_broken_as_trec_eval_does(first, second):
    systems = [system("x", first), system("y", second)]
    fused = fuse("f", "rrf", systems).run
    assert fused.keys() == first.keys() | second.keys()
    for qid, hits in fused.items():
        expected = {}
        for one in systems:
            for rank, docid in enumerate(one.run.get(qid, {}), 1):
                expected[docid] = expected.get(docid, 0.0) + 1 / (60 + rank)
        assert hits == pytest.approx(expected)
        assert list(hits) == sorted(hits, key=lambda docid: (hits[docid], docid), reverse=True)
    assert fuse("f", "rrf", systems).run == fused


@settings(max_examples=60, deadline=None)
@given(RUNS, RUNS)
def test_scores_are_brought_to_one_scale_and_added_as_by_pyserini(tmp_path_factory, first, second):
    systems = [system("x", first), system("y", second)]
    folder = tmp_path_factory.mktemp("runs")
    for one in systems:
        lines = [
            f"{qid} Q0 {docid} {rank} {score} {one.name}\n"
            for qid, hits in one.run.items()
            for rank, (docid, score) in enumerate(hits.items(), 1)
        ]
        (folder / one.name).write_text("".join(lines))
    table = normalize([TrecRun(str(folder / one.name)) for one in systems]).run_data
    theirs = {
        str(qid): dict(zip(rows["docid"], rows["score"], strict=True)) for qid, rows in table.groupby("topic")
    }
    fused = fuse("f", "sum", systems).run
    assert fused.keys() == theirs.keys()
    for qid, hits in fused.items():
        assert hits == pytest.approx(theirs[qid])


def test_a_hit_that_is_the_only_one_counts():
    first = system("x", {"q": {"a": 30.0, "b": 20.0, "c": 10.0}, "r": {"b": 1.0}})
    second = system("y", {"q": {"c": 0.9, "b": 0.8}, "r": {"a": 0.9, "c": 0.8, "b": 0.7}})
    run = fuse("f", "sum", [first, second]).run
    assert run["q"] == pytest.approx({"c": 1.0, "a": 1.0, "b": 0.5})
    assert run["r"] == pytest.approx({"b": 1.0, "a": 1.0, "c": 0.5})


@settings(max_examples=30, deadline=None)
@given(RUNS, RUNS)
def test_scores_are_weighted(first, second):
    systems = [system("x", first), system("y", second)]
    whole = add_fused(systems, ["f=sum:x*0.25,y*3"])[-1].run
    for qid, hits in whole.items():
        expected = {}
        for one, weight in zip(systems, (0.25, 3.0), strict=True):
            for docid, score in min_max(one.run.get(qid, {})).items():
                expected[docid] = expected.get(docid, 0.0) + weight * score
        assert hits == pytest.approx(expected)
    assert fuse("f", "sum", systems, [2.0, 2.0]).run.keys() == whole.keys()


def test_every_method_that_is_offered_is_one_that_ranx_has():
    # To run them all would take minutes: numba compiles each.
    from ranx.fusion import fusion_switch

    assert all(callable(fusion_switch(method)) for method in (*BY_RANK, *BY_SCORE))


def test_options_name_and_choose():
    systems = [system(name, {"q": {name: 1.0}}) for name in ("bm25", "qgdr", "third")]
    found = add_fused(systems, ["rrf", "hybrid=rrf:bm25,qgdr"])
    assert [one.name for one in found] == ["bm25", "qgdr", "third", "rrf", "hybrid"]
    assert set(found[4].run["q"]) == {"bm25", "qgdr"}
    assert found[4].origin == "hybrid is fused from bm25, qgdr by ranx (rrf)."
    assert found[3].files == ("bm25.txt", "qgdr.txt", "third.txt")


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("rff", "unknown method 'rff'; did you mean rrf"),
        ("rrf:bm25,nobody", "'nobody' is none of the systems: bm25, qgdr"),
        ("rrf:bm25", "needs two systems"),
        ("rrf:bm25*2,qgdr*1", "weights are for method sum, not rrf"),
        ("sum:bm25*2,qgdr", "1 weights for 2 systems"),
        ("sum:bm25*0,qgdr*1", "weights have to be above 0"),
        ("sum:bm25*nan,qgdr*1", "weights have to be above 0"),
        ("sum:bm25*x,qgdr", r"'bm25\*x' is none of the systems"),
        ("qgdr=rrf", "there is a system 'qgdr' already"),
    ],
)
def test_mistakes_are_told(option, message):
    systems = [system(name, {"q": {name: 1.0}}) for name in ("bm25", "qgdr")]
    with pytest.raises(QgdrError, match=message):
        add_fused(systems, [option])
