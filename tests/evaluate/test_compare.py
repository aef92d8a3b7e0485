"""Scores and significance: ranx against a plain computation, and the cases in which it alone goes wrong."""

import math
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_rel

from qgdr_pyserini.collection.trec import rank_hits
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.evaluate.compare import compare
from qgdr_pyserini.evaluate.metrics import WITH_CUT, WITHOUT_CUT, check_metrics, score_queries
from qgdr_pyserini.evaluate.reports.tables import notes
from qgdr_pyserini.evaluate.significance import holm, paired_p_value
from qgdr_pyserini.evaluate.systems import System

DOCIDS = st.sampled_from([f"d{number}" for number in range(12)])
QIDS = st.sampled_from(["x-de-1", "x-de-2", "x-es-1", "x-es-2", "y"])
QRELS = st.dictionaries(QIDS, st.dictionaries(DOCIDS, st.integers(-1, 3), min_size=1), min_size=1)
RUNS = st.dictionaries(QIDS, st.dictionaries(DOCIDS, st.sampled_from([0.5, 1.0, 2.0]), min_size=1))


def system(name, run):
    return System(name, (f"{name}.txt",), {qid: rank_hits(hits) for qid, hits in run.items()})


def expected(metric, judged, hits):
    """One query's score, straight from the metric's definition."""
    ranked = sorted(hits, key=lambda docid: (hits[docid], docid), reverse=True)[:3]
    gains = [max(judged.get(docid, 0), 0) for docid in ranked]
    ideal = sorted((max(grade, 0) for grade in judged.values()), reverse=True)[:3]
    relevant = sum(grade > 0 for grade in judged.values())
    if not relevant:
        return 0.0
    if metric == "recall@3":
        return sum(gain > 0 for gain in gains) / relevant
    if metric == "mrr@3":
        return next((1 / rank for rank, gain in enumerate(gains, 1) if gain), 0.0)
    return dcg(gains) / dcg(ideal)


def dcg(gains):
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, 1))


@settings(max_examples=60, deadline=None)
@given(QRELS, RUNS)
def test_scores_follow_the_definitions_with_ties_missing_and_unjudged(qrels, run):
    metrics = ("recall@3", "ndcg@3", "mrr@3")
    ranked = {qid: rank_hits(hits) for qid, hits in run.items()}
    scores = score_queries(qrels, ranked, list(qrels), metrics)
    for metric in metrics:
        plain = [expected(metric, judged, run.get(qid, {})) for qid, judged in qrels.items()]
        assert scores[metric] == pytest.approx(plain, abs=1e-12)


def test_every_metric_that_is_offered_is_one_that_ranx_has():
    from ranx.meta.evaluate import extract_metric_and_params
    from ranx.metrics import metric_switch

    for name in check_metrics(
        [*(f"{name}@2" for name in WITH_CUT), *WITHOUT_CUT, "rbp.95", "NDCG@2-L2", "MAP"]
    ):
        base, cut, level = extract_metric_and_params(name)
        assert callable(metric_switch(base))
        assert cut == (0.95 if base == "rbp" else 2 if "@" in name else 0)
        assert level == (2 if name == "ndcg@2-l2" else 1)


@pytest.mark.parametrize(("metric", "score"), [("recall@1", 0.0), ("mrr", 0.5), ("ndcg@2-l2", 0.0)])
def test_a_single_metric_is_scored_although_ranx_alone_fails_on_it(metric, score):
    qrels = {"q": {"a": 1, "b": 0}}
    assert score_queries(qrels, {"q": {"b": 2.0, "a": 1.0}}, ["q"], [metric])[metric].tolist() == [score]


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("recal@20", "did you mean recall@20"),
        ("ndgc", "ndcg@10"),
        ("recall@0", "recall@10"),
        ("mrr@-1", "mrr@10"),
        ("r-precision@5", "r-precision"),
        ("rbp", "rbp.95"),
        ("accuracy!!", "there are recall@K"),
        ("", "there are recall@K"),
    ],
)
def test_an_unknown_metric_is_told_with_its_neighbours(name, advice):
    with pytest.raises(QgdrError, match="unknown metric") as caught:
        check_metrics([name])
    assert advice in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_metric_without_a_value_is_an_error_not_a_nan():
    with pytest.raises(QgdrError, match="bpref has no value for query 'q'"):
        score_queries({"q": {"a": 1}}, {"q": {"b": 2.0, "a": 1.0}}, ["q"], ["bpref"])


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_only_raises_and_keeps_the_order(p_values):
    corrected = holm(p_values)
    assert all(before <= after <= 1 for before, after in zip(p_values, corrected, strict=True))
    assert all(
        after <= min(1, before * len(p_values)) for before, after in zip(p_values, corrected, strict=True)
    )
    pairs = sorted(zip(p_values, corrected, strict=True))
    assert [after for _, after in pairs] == sorted(corrected)


def test_the_paired_test_is_the_t_test_and_never_nan():
    rng = np.random.default_rng(0)
    first, second = rng.random(30), rng.random(30)
    assert paired_p_value(first, second) == ttest_rel(first, second).pvalue
    assert paired_p_value(first, first) == 1.0
    assert paired_p_value(np.array([0.0]), np.array([1.0])) == 1.0
    assert paired_p_value(np.zeros(20), np.ones(20)) == 2.0**-19
    # Equal but for rounding: a t statistic of 1e16 would be nothing but that rounding.
    assert paired_p_value(np.array([0.1, 0.2]), np.array([0.1 + 0.2, 0.4])) == 0.5


QRELS_OF_TWO = {f"x-{language}-{n}": {"good": 1} for language in ("de", "es") for n in range(8)}


def hits(ranks):
    """One query's hits with the relevant passage at each rank given, none for None."""
    runs = {}
    for qid, rank in zip(QRELS_OF_TWO, ranks, strict=True):
        docids = [f"bad{n}" for n in range(5)]
        if rank is not None:
            docids.insert(rank - 1, "good")
        runs[qid] = {docid: 10.0 - place for place, docid in enumerate(docids)}
    return runs


def test_languages_mean_and_all_queries_with_one_family_of_tests():
    first = system("bm25", hits([1, 2, None, 4] * 4))
    second = system("qgdr", hits([1, 1, 2, 2] * 2 + [2, 4, 1, None] * 2))
    result = compare(QRELS_OF_TWO, [first, second], ["mrr@10"])
    assert (result.baseline, result.tests, result.queries) == ("bm25", {"mrr@10": 3}, {"de": 8, "es": 8})
    bm25, qgdr = result.results["mrr@10"]["bm25"], result.results["mrr@10"]["qgdr"]
    assert bm25.languages["de"].mean == pytest.approx((1 + 1 / 2 + 1 / 4) / 4)
    assert qgdr.languages["de"].mean == pytest.approx(3 / 4)
    assert qgdr.overall.mean == pytest.approx((3 / 4 + (1 / 2 + 1 / 4 + 1) / 4) / 2)
    assert qgdr.mean.value == pytest.approx(qgdr.overall.mean)
    assert qgdr.overall.against.mean == pytest.approx(qgdr.overall.mean - bm25.overall.mean)
    assert bm25.overall.against is None
    plain = np.array([1, 0.5, 0, 0.25] * 2), np.array([1, 1, 0.5, 0.5] * 2)
    assert qgdr.languages["de"].against.p_value == pytest.approx(ttest_rel(*plain).pvalue)
    cells = [cell.against for cell in (qgdr.languages["de"], qgdr.languages["es"], qgdr.overall)]
    assert [cell.p_holm for cell in cells] == holm([cell.p_value for cell in cells])


def test_the_mean_counts_languages_and_the_overall_score_queries():
    qrels = {"x-de-1": {"a": 1}, "x-es-1": {"a": 1}, "x-es-2": {"a": 1}, "x-es-3": {"a": 1}, "q": {"a": 1}}
    scores = compare(qrels, [system("s", {"x-de-1": {"a": 1.0}})], ["recall@10"]).results["recall@10"]["s"]
    assert scores.mean.value == 0.5  # de 1, es 0; the query without a language takes no part
    assert scores.overall.mean == pytest.approx(1 / 5)
    assert list(scores.languages) == ["de", "es", "other"]


def test_the_mean_is_over_the_languages_asked_for():
    qrels = {f"x-{lang}-1": {"a": 1} for lang in ("de", "en", "es", "ru")}
    poor = system("poor", {"x-en-1": {"a": 1.0}})
    good = system("good", {"x-en-1": {"a": 1.0}, "x-de-1": {"a": 1.0}})
    result = compare(qrels, [poor, good], ["recall@10"], mean_of=["de", "ru"])
    scores = result.results["recall@10"]["good"]
    assert (scores.mean.languages, scores.mean.value, scores.mean.difference) == (("de", "ru"), 0.5, 0.5)
    assert (list(scores.languages), scores.overall.mean) == (["de", "en", "es", "ru"], 0.5)
    assert result.tests == {"recall@10": 5}
    assert notes(result)[-1] == "The mean is over de, ru."
    twice = compare(qrels, [poor, good], ["recall@10"], mean_of=["de", "ru", "de"])
    assert twice.results["recall@10"]["good"].mean == scores.mean
    everything = compare(qrels, [poor, good], ["recall@10"], mean_of=["ru", "es", "en", "de"])
    assert everything.results["recall@10"]["good"].mean.value == 0.5
    assert not any("mean" in note for note in notes(everything))
    with pytest.raises(QgdrError, match="--mean-of fr: no judged query is in it; there are de, en, es, ru"):
        compare(qrels, [poor, good], ["recall@10"], mean_of=["de", "fr"])


def test_identical_systems_differ_by_nothing():
    run = hits([1, 2, 3, None] * 4)
    result = compare(QRELS_OF_TWO, [system("a", run), system("b", run)])
    for metric in result.results.values():
        cell = metric["b"].overall.against
        assert (cell.mean, cell.p_value, cell.p_holm) == (0.0, 1.0, 1.0)


def test_missing_queries_count_as_zero_and_unjudged_ones_not_at_all():
    run = {"x-de-0": {"good": 1.0}, "x-de-99": {"good": 1.0}}
    result = compare(QRELS_OF_TWO, [system("s", run)], ["recall@10"])
    (coverage,) = result.systems
    assert (len(coverage.missing), coverage.missing[0], coverage.unjudged) == (15, "x-de-1", ("x-de-99",))
    assert result.results["recall@10"]["s"].overall.mean == 1 / 16


def test_a_single_system_and_a_single_query():
    result = compare({"q": {"good": 1}}, [system("s", {"q": {"good": 1.0}})])
    assert (result.baseline, result.tests, result.queries) == (
        None,
        {"recall@10": 0, "ndcg@10": 0, "mrr@10": 0},
        {"all": 1},
    )
    scores = result.results["ndcg@10"]["s"]
    assert (scores.mean.value, scores.overall, scores.overall.against) == (1.0, scores.languages["all"], None)
    two = compare({"q": {"good": 1}}, [system("s", {"q": {"good": 1.0}}), system("t", {"q": {"bad": 1.0}})])
    assert two.tests["mrr@10"] == 1
    assert two.results["mrr@10"]["t"].overall.against.p_holm == 1.0


def test_a_language_called_all_is_a_language_like_others():
    qrels = {"a": {"good": 1}, "x-de-1": {"good": 1}}
    run = {"a": {"good": 1.0}}
    result = compare(qrels, [system("s", run)], ["recall@10"], languages={"a": "all"})
    scores = result.results["recall@10"]["s"]
    assert scores.languages["all"].mean == 1.0
    assert scores.overall.mean == 0.5


def test_queries_that_nothing_is_relevant_to_count_as_zero_and_are_told():
    qrels = {"p": {"good": 1}, "q": {"bad": 0}, "r": {"bad": -1}}
    run = {qid: {"good": 2.0, "bad": 1.0} for qid in qrels}
    result = compare(qrels, [system("s", run)])
    assert result.without_relevant == ("q", "r")
    assert {m: scores["s"].overall.mean for m, scores in result.results.items()} == pytest.approx(
        dict.fromkeys(["recall@10", "ndcg@10", "mrr@10"], 1 / 3)
    )
    with pytest.raises(QgdrError, match="no passage relevant to any of 2 queries"):
        compare({"q": {"bad": 0}, "r": {"bad": -1}}, [system("s", run)])


def test_runs_of_another_collection_are_refused():
    with pytest.raises(QgdrError, match=r"s\.txt: no query of system 's'") as caught:
        compare({"q1": {"a": 1}}, [system("s", {"7": {"a": 1.0}})], qrels_file="qrels.txt")
    for part in ("qrels.txt", "'7'", "'q1'"):
        assert part in str(caught.value)


def test_the_baseline_can_be_chosen_and_must_be_there():
    systems = [system("a", hits([1] * 16)), system("b", hits([2] * 16))]
    result = compare(QRELS_OF_TWO, systems, ["mrr"], baseline="b")
    assert result.results["mrr"]["b"].overall.against is None
    assert result.results["mrr"]["a"].overall.against.mean == 0.5
    with pytest.raises(QgdrError, match="baseline 'c' is none of the systems: a, b"):
        compare(QRELS_OF_TWO, systems, baseline="c")


def test_scores_do_not_depend_on_the_order_of_the_judgements():
    systems = [system("a", hits([1, 2, 3, 4] * 4)), system("b", hits([3, 2, None, 1] * 4))]
    backwards = dict(reversed(QRELS_OF_TWO.items()))
    assert compare(QRELS_OF_TWO, systems) == compare(backwards, systems)


def run_python(code, **environment):
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


def test_comparing_imports_no_torch():
    code = (
        "import sys; from qgdr_pyserini.evaluate.reports import report, terminal; "
        "from qgdr_pyserini.evaluate.metrics import score_queries; "
        "score_queries({'q': {'a': 1}}, {'q': {'a': 1.0}}, ['q'], ['mrr@10']); "
        "print([name for name in ('torch', 'pyserini', 'faiss') if name in sys.modules])"
    )
    assert run_python(code).stdout.split("\n")[0] == "[]"


def test_ranx_is_imported_also_where_nothing_can_be_written():
    code = "from qgdr_pyserini.evaluate.metrics import import_ranx; print(import_ranx()[0].__name__)"
    done = run_python(code, HOME="/dev/null", NUMBA_CACHE_LOCATOR_CLASSES="UserProvidedCacheLocator")
    assert done.stdout == "ranx\n"
