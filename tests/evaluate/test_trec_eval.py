"""Scores are those of trec_eval, as ir_measures gives them through pytrec_eval; RBP and judged@k, its own."""

import ir_measures
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ir_measures import AP, RBP, RR, Judged, P, R, nDCG

from qgdr_pyserini.collection.trec import rank_hits, read_run
from qgdr_pyserini.evaluate.metrics import score_queries

# RR without a cut: for RR@10 ir_measures asks another engine, which breaks ties the other way round.
MEASURES = {
    "ndcg@10": nDCG @ 10,
    "ndcg@20": nDCG @ 20,
    "ndcg": nDCG,
    "map": AP,
    "mrr": RR,
    "recall@10": R @ 10,
    "recall@100": R @ 100,
    "recall@1000": R @ 1000,
    "precision@5": P @ 5,
}
DOCIDS = st.sampled_from([f"d{number}" for number in range(30)])
QIDS = st.sampled_from([f"q{number}" for number in range(6)])
# With negative grades alone, trec_eval's nDCG was seen to run on for minutes in memory that it had not set.
GRADES = st.dictionaries(DOCIDS, st.integers(-1, 3), min_size=1).filter(
    lambda grades: max(grades.values()) > 0
)
QRELS = st.dictionaries(QIDS, GRADES, min_size=1)
# trec_eval keeps 32 bits of a score, in which the last three are equal.
SCORES = st.sampled_from([-1.0, 0.0, 0.25, 0.5, 2.0, 2.00000001, 2.00000002]) | st.floats(-100, 100)
RUNS = st.dictionaries(QIDS, st.dictionaries(DOCIDS, SCORES, min_size=1, max_size=25))


@settings(max_examples=60, deadline=None)
@given(QRELS, RUNS)
def test_scores_equal_trec_eval_on_ties_missing_empty_and_unjudged(qrels, run):
    qids = sorted(qrels)
    scores = score_queries(qrels, {qid: rank_hits(hits) for qid, hits in run.items()}, qids, list(MEASURES))
    expected = {(name, qid): 0.0 for name in MEASURES for qid in qids}
    names = {measure: name for name, measure in MEASURES.items()}
    for query, measure, value in ir_measures.iter_calc(list(MEASURES.values()), qrels, run):
        expected[names[measure], query] = value
    found = {(name, qid): value for name in MEASURES for qid, value in zip(qids, scores[name], strict=True)}
    assert found == pytest.approx(expected, abs=1e-4)


OTHERS = {
    "rbp.8": RBP(p=0.8, rel=1),
    "rbp.95": RBP(p=0.95, rel=1),
    "rbp.8-l2": RBP(p=0.8, rel=2),
    "judged@5": Judged @ 5,
    "judged@20": Judged @ 20,
}


@settings(max_examples=40, deadline=None)
@given(QRELS, RUNS)
def test_rbp_and_judged_equal_ir_measures(qrels, run):
    qids = sorted(qrels)
    ranked = {qid: rank_hits(hits) for qid, hits in run.items()}
    scores = score_queries(qrels, ranked, qids, list(OTHERS))
    # Ties are broken as trec_eval does before: the engines behind these two break them otherwise.
    untied = {qid: {docid: -float(rank) for rank, docid in enumerate(hits)} for qid, hits in ranked.items()}
    expected = {(name, qid): 0.0 for name in OTHERS for qid in qids}
    names = {measure: name for name, measure in OTHERS.items()}
    for metric in ir_measures.iter_calc(list(OTHERS.values()), qrels, untied):
        expected[names[metric.measure], metric.query_id] = float(metric.value)
    found = {(name, qid): value for name in OTHERS for qid, value in zip(qids, scores[name], strict=True)}
    assert found == pytest.approx(expected, abs=1e-4)


def test_files_are_read_and_ranked_as_trec_eval_does(tmp_path):
    lines = [f"q{q} Q0 d{d} 1 {(d * 7 + q) % 4} tag\n" for q in range(9) for d in range(40)]
    (tmp_path / "run.txt").write_text("".join(lines))
    qrels = {f"q{q}": {f"d{d}": (d + q) % 5 - 1 for d in range(0, 40, 3)} for q in range(10)}
    scores = score_queries(qrels, read_run(tmp_path / "run.txt"), sorted(qrels), list(MEASURES))
    run = list(ir_measures.read_trec_run(str(tmp_path / "run.txt")))
    expected = dict.fromkeys(MEASURES.values(), 0.0)
    for _, measure, value in ir_measures.iter_calc(list(MEASURES.values()), qrels, run):
        expected[measure] += value
    # Summed, since the run lacks one of the ten queries.
    found = {measure: scores[name].sum() for name, measure in MEASURES.items()}
    assert found == pytest.approx(expected, abs=1e-4)
