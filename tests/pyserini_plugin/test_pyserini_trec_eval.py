"""Scores are those of `pyserini.eval.trec_eval`: the real program, on many random queries at a time."""

import contextlib
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from qgdr_pyserini.collection.trec import read_qrels, read_run
from qgdr_pyserini.errors import InputError
from qgdr_pyserini.evaluate.metrics import score_queries
from qgdr_pyserini.pyserini_plugin import hook

# Options, and our name of each metric that they print; each call starts a JVM. With -M 10, "recip_rank" and
# "map" are those of the first ten hits.
CALLS = {
    "-m ndcg_cut.10 -m map -m recip_rank -m recall.10,100 -m P.5": {
        "ndcg_cut_10": "ndcg@10",
        "map": "map",
        "recip_rank": "mrr",
        "recall_10": "recall@10",
        "recall_100": "recall@100",
        "P_5": "precision@5",
    },
    "-M 10 -m recip_rank -m map": {"recip_rank": "mrr@10", "map": "map@10"},
}
DOCIDS = st.sampled_from([f"d{number}" for number in range(30)])
# With negative grades alone, trec_eval's nDCG was seen to run on for minutes in memory that it had not set.
GRADES = st.dictionaries(DOCIDS, st.integers(-1, 3), min_size=1).filter(lambda found: max(found.values()) > 0)
SCORES = st.sampled_from([-1.0, 0.0, 0.25, 0.5, 2.0]) | st.floats(-100, 100, width=32)
HITS = st.dictionaries(DOCIDS, SCORES, max_size=25)
QUERIES = st.lists(st.tuples(GRADES | st.none(), HITS | st.none()), min_size=60, max_size=100)


def trec_eval(options: str, qrels: Path, run: Path) -> dict[tuple[str, str], float]:
    hook.install()
    from pyserini.eval.trec_eval import trec_eval

    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        trec_eval(["trec_eval", "-q", "-c", *options.split(), str(qrels), str(run)])
    rows = [line.split() for line in output.getvalue().splitlines() if "\t" in line]
    return {(metric, qid): float(value) for metric, qid, value in rows}


# Not shrunk, since every attempt costs two JVMs.
@settings(
    max_examples=3,
    deadline=None,
    phases=[Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(QUERIES)
def test_scores_equal_pyserini_trec_eval_on_ties_missing_empty_and_unjudged(tmp_path_factory, queries):
    folder = tmp_path_factory.mktemp("trec_eval")
    judged = {f"q{n}": grades for n, (grades, _) in enumerate(queries) if grades} | {
        "both": {"d1": 1, "d2": 0}
    }
    found = {f"q{n}": hits for n, (_, hits) in enumerate(queries) if hits} | {"both": {"d2": 1.0, "d1": 1.0}}
    qrels, run = folder / "qrels.txt", folder / "run.txt"
    qrels.write_text("".join(f"{q} 0 {d} {g}\n" for q, grades in judged.items() for d, g in grades.items()))
    run.write_text("".join(f"{q} Q0 {d} 1 {s!r} x\n" for q, hits in found.items() for d, s in hits.items()))
    qids = sorted(judged)
    for options, names in CALLS.items():
        expected = trec_eval(options, qrels, run)
        scores = score_queries(read_qrels(qrels), read_run(run), qids, list(names.values()))
        for theirs, ours in names.items():
            # With -c, a query that the run lacks counts in the mean but has no row of its own.
            rows = {qid: expected.get((theirs, qid), 0.0) for qid in qids}
            assert dict(zip(qids, scores[ours], strict=True)) == pytest.approx(rows, abs=1e-4), ours
            assert scores[ours].mean() == pytest.approx(expected[theirs, "all"], abs=1e-4), ours


def test_both_refuse_a_document_listed_twice(tmp_path, capfd):
    (tmp_path / "qrels.txt").write_text("q 0 d1 1\n")
    (tmp_path / "run.txt").write_text("q Q0 d1 1 2.0 x\nq Q0 d1 2 1.0 x\n")
    with pytest.raises((IndexError, ValueError)):
        trec_eval("-m map", tmp_path / "qrels.txt", tmp_path / "run.txt")
    assert "duplicate" in capfd.readouterr().err.lower()
    with pytest.raises(InputError, match=r"run\.txt:2: 'd1' is listed twice"):
        read_run(tmp_path / "run.txt")
