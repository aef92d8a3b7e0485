"""Graded judgements in ``qgdr compare``: measures, judged@k, and the warning about uneven pools."""

import json

import pytest
from click.testing import CliRunner

from qgdr_pyserini.cli.main import main
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.evaluate.compare import compare
from qgdr_pyserini.evaluate.metrics import GRADED_METRICS, check_metrics
from qgdr_pyserini.evaluate.systems import System

# In German both systems' hits were judged, in Spanish those of the pooled one alone.
QRELS = {
    f"x-{lang}-{n}": {"good": 3, "fair": 1, "bad": 0} | ({"other": 0} if lang == "de" else {})
    for lang in ("de", "es")
    for n in range(4)
}


def system(name, docids):
    return System(
        name, (f"{name}.txt",), {qid: {d: -float(r) for r, d in enumerate(docids)} for qid in QRELS}
    )


POOLED, NEW = system("pooled", ["good", "bad"]), system("new", ["other", "good"])


def test_uneven_judgements_are_warned_about_by_language():
    found = compare(QRELS, [POOLED, NEW], ["ndcg@20"])
    (warning,) = found.warnings
    assert "judged@10 differs by more than 0.1: es (new 0.500, pooled 1.000). What nobody judged" in warning


def test_the_depth_asked_for_is_looked_at():
    deep = compare(QRELS, [POOLED, NEW], ["judged@1", "judged@2"])
    assert ["judged@1" in warning for warning in deep.warnings] == [True, False]
    scores = deep.results["judged@1"]
    assert scores["pooled"].overall.mean == 1.0
    assert (scores["new"].languages["de"].mean, scores["new"].languages["es"].mean) == (1.0, 0.0)
    assert scores["new"].languages["es"].against.mean == -1.0


def test_where_only_relevant_passages_are_judged_finding_more_is_no_fault():
    qrels = {qid: {"good": 1} for qid in QRELS}
    assert compare(qrels, [POOLED, NEW], ["recall@1"]).warnings == ()
    assert len(compare(qrels, [POOLED, NEW], ["judged@1"]).warnings) == 1


def test_one_system_and_equal_ones_are_not_warned_about():
    assert compare(QRELS, [NEW], ["judged@10"]).warnings == ()
    assert compare(QRELS, [NEW, system("same", ["other", "good"])], ["judged@10"]).warnings == ()


def test_rbp_of_graded_judgements_stays_below_one():
    scores = compare(QRELS, [POOLED], ["rbp.8", "rbp.8-l2", "rbp.5"]).results
    assert scores["rbp.8"]["pooled"].overall.mean == pytest.approx(0.2)
    assert scores["rbp.8-l2"]["pooled"].overall.mean == pytest.approx(0.2)
    assert scores["rbp.5"]["pooled"].overall.mean == pytest.approx(0.5)


def test_names():
    assert check_metrics(["Judged@20"]) == ("judged@20",)
    with pytest.raises(QgdrError, match="unknown metric 'judged'; did you mean judged@10"):
        check_metrics(["judged"])


def test_graded_files_are_measured_by_what_is_usual_for_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = [
        f"{qid} 0 {docid} {grade}.0\n" for qid, judged in QRELS.items() for docid, grade in judged.items()
    ]
    (tmp_path / "qrels.txt").write_text("".join(lines))
    for found in (POOLED, NEW):
        hits = [f"{q} Q0 {d} 1 {s} t\n" for q, ranked in found.run.items() for d, s in ranked.items()]
        (tmp_path / found.files[0]).write_text("".join(hits))
    words = ("--qrels", "qrels.txt", "--run", "pooled.txt", "--run", "new.txt", "--output", "out")
    result = CliRunner().invoke(main, ["compare", *words])
    assert result.exit_code == 0, result.output
    assert "\nWarning: Rankings were not judged alike; judged@20 differs" in result.stdout
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["metrics"] == list(GRADED_METRICS)
    assert len(report["warnings"]) == 1
    for name in ("report.md", "report.html"):
        assert "Rankings were not judged alike" in (tmp_path / "out" / name).read_text()
