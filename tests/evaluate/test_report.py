"""``qgdr compare`` as its users meet it: tables, reports, refusals."""

import io
import json

import pytest
from click.testing import CliRunner
from rich.console import Console

from qgdr_pyserini.cli.compare import compare as compare_command
from qgdr_pyserini.cli.group import OneLineErrorGroup
from qgdr_pyserini.evaluate.compare import compare
from qgdr_pyserini.evaluate.reports.markdown import to_markdown
from qgdr_pyserini.evaluate.reports.report import to_json
from qgdr_pyserini.evaluate.reports.tables import notes
from qgdr_pyserini.evaluate.reports.terminal import print_comparison
from qgdr_pyserini.evaluate.systems import System

GROUP = OneLineErrorGroup("qgdr", commands=[compare_command])
QRELS = {f"x-{language}-{n:02}": {"good": 1} for language in ("de", "es") for n in range(12)}


def qgdr(*words):
    return CliRunner().invoke(GROUP, ["compare", *map(str, words)])


def run(found):
    """Make a run that finds the relevant passage, at rank 1, where ``found`` says so."""
    return {qid: {"good" if found(qid) else "bad": 2.0, "worse": 1.0} for qid in QRELS}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "qrels.txt").write_text("".join(f"{qid} 0 good 1\n" for qid in QRELS))
    found = {"weak": lambda qid: qid.endswith("1"), "strong": lambda qid: "es" in qid or qid.endswith("1")}
    for name, finds in found.items():
        for language in ("de", "es"):
            lines = [
                f"{qid} Q0 {docid} 1 {score} Anserini\n"
                for qid, hits in run(finds).items()
                if f"-{language}-" in qid
                for docid, score in hits.items()
            ]
            (tmp_path / f"{name}.{language}.txt").write_text("".join(lines))
    return tmp_path


ARGUMENTS = ("--qrels", "qrels.txt", "--run", "weak=weak.*.txt", "--run", "strong=strong.*.txt")


def no_constant(name):
    raise AssertionError(f"{name} is not JSON")


def test_the_command_prints_and_writes_the_comparison(folder):
    (folder / "out").mkdir()
    (folder / "out" / "mine.txt").write_text("kept")
    result = qgdr(*ARGUMENTS, "--output", "out")
    assert (result.exit_code, result.stderr) == (0, "")
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["es", "12", "0.167", "1.000", "↑**"] in rows
    assert ["de", "12", "0.167", "0.167"] in rows
    assert ["mean", "0.167", "0.583"] in rows
    assert (
        "Wrote out/report.html\nWrote out/report.md\nWrote out/report.tex\nWrote out/report.json\n"
        in result.stdout
    )
    report = json.loads((folder / "out/report.json").read_text(), parse_constant=no_constant)
    assert report["format"] == "qgdr-comparison/2"
    assert report["systems"][0] == {
        "name": "weak",
        "files": ["weak.de.txt", "weak.es.txt"],
        "missing": [],
        "unjudged": [],
    }
    assert report["significance"]["comparisons"]["recall@10"] == 3
    strong = report["results"]["recall@10"]["strong"]
    assert strong["languages"]["es"]["score"] == 1.0
    assert strong["languages"]["de"]["score"] == 2 / 12
    assert strong["languages"]["de"]["against_baseline"] == {
        "difference": 0.0,
        "interval": [0.0, 0.0],
        "effect_size": 0.0,
        "wins": 0,
        "ties": 12,
        "losses": 0,
        "p": 1.0,
        "p_holm": 1.0,
        "p_randomisation": 1.0,
        "p_randomisation_holm": 1.0,
    }
    assert strong["languages"]["es"]["against_baseline"]["wins"] == 10
    assert (strong["mean"]["score"], strong["all"]["score"]) == (pytest.approx(7 / 12), pytest.approx(7 / 12))
    assert "| es | 12 | 0.167 | 1.000 ↑** |" in (folder / "out/report.md").read_text()
    assert (folder / "out/mine.txt").read_text() == "kept"


def test_an_earlier_report_stays_unless_told_otherwise_and_comes_out_the_same(folder):
    assert qgdr(*ARGUMENTS, "--output", "out").exit_code == 0
    names = (
        "report.md",
        "report.json",
        "report.html",
        "report.tex",
        "figures/recall.svg",
        "figures/recall.png",
    )
    before = [(folder / "out" / name).read_bytes() for name in names]
    (folder / "out/report.md").write_text("edited by hand")
    refused = qgdr(*ARGUMENTS, "--output", "out")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "out/report.md: already exists; pass --overwrite" in refused.stderr
    assert (folder / "out/report.md").read_text() == "edited by hand"
    assert qgdr(*ARGUMENTS, "--output", "out", "--overwrite").exit_code == 0
    assert [(folder / "out" / name).read_bytes() for name in names] == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("--qrels", "none.txt"), "none.txt: no such file"),
        (("--metric", "ndgc@5"), "unknown metric 'ndgc@5'; did you mean ndcg@5"),
        (("--baseline", "nobody"), "baseline 'nobody' is none of the systems: weak, strong"),
        (("--language", "fr"), "there are de, es"),
        (("--language", "de", "--mean-of", "es"), "--mean-of es: no judged query is in it; there are de"),
        (("--run", "third=none.*.txt"), "none.*.txt: no file matches"),
        (("--run", "weak=strong.de.txt"), "query 'x-de-00' of system 'weak'"),
        (("--run", "third=qrels.txt"), "qrels.txt:1: needs 6 columns"),
        (("--run", "third=."), ".: is a directory"),
        (("--topics", "qrels.txt"), "qrels.txt: its name tells no language"),
        (("--answers", "none.jsonl"), "--answers needs --corpus"),
        (("--answers", "none.jsonl", "--corpus", "none"), "none.jsonl: no such file"),
        (("--metric", "r@2kt"), "r@2kt looks for answers in passages; give --answers"),
        (("--xor-predictions",), "--xor-predictions needs --answers"),
        (("--output", "qrels.txt"), "qrels.txt: is a file, not a directory"),
        (("--output", "qrels.txt/out"), "qrels.txt/out: cannot be written"),
    ],
)
def test_mistakes_are_told_in_one_line_and_nothing_is_written(folder, change, message):
    files = sorted(folder.rglob("*"))
    result = qgdr(*ARGUMENTS, "--output", "out", *change)
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert message in result.stderr
    assert sorted(folder.rglob("*")) == files


def test_help_shows_an_example():
    result = qgdr("--help")
    assert result.exit_code == 0
    assert "qgdr compare --qrels collections/xquad/qrels.txt" in result.stdout


def system(name, hits):
    return System(name, (f"{name}.txt",), hits)


def test_a_single_system_has_a_table_and_no_significance():
    comparison = compare(QRELS, [system("only", run(lambda qid: True))])
    assert json.loads(to_json(comparison))["significance"] is None
    text = to_markdown(comparison)
    assert "| de | 12 | 1.000 |" in text
    assert "Differences" not in text
    assert "p <" not in text


def test_what_was_missing_or_left_out_is_noted():
    qrels = {**QRELS, "x-de-99": {"bad": 0}, "q": {"good": 1}}
    hits = {qid: found for qid, found in run(lambda qid: True).items() if qid != "x-de-00"} | {
        "z": {"good": 1.0}
    }
    assert notes(compare(qrels, [system("s", hits)])) == [
        "s has no hits for 3 queries (such as x-de-00); they count as zero.",
        "s has hits for 1 query (such as z) without judgements or answers, left out.",
        "No passage is judged relevant to 1 query (such as x-de-99), which count as zero for every system.",
        "The language of 1 query is not known: row 'other', not part of the mean.",
    ]


def test_names_cannot_break_the_markdown():
    name = "a|b*c*<i>_d_[x](y)"
    text = to_markdown(
        compare(QRELS, [system(name, run(lambda qid: True)), system("b", run(lambda qid: False))])
    )
    assert r"a\|b\*c\*\<i>\_d\_\[x](y)" in text
    assert "0.000 ↓**" in text


def test_many_systems_keep_to_the_terminals_width_with_every_score_whole():
    names = [f"system [bold]{'x' * 30}[/bold] {number}" for number in range(7)]
    systems = [system(name, run(lambda qid, n=n: int(qid[-2:]) % 7 < n)) for n, name in enumerate(names)]
    comparison = compare(QRELS, systems, ["recall@10"])
    printed = io.StringIO()
    print_comparison(comparison, Console(file=printed, force_terminal=True, width=60, color_system=None))
    lines = printed.getvalue().splitlines()
    assert max(map(len, lines)) <= 60
    cells = [word for line in lines if line.split()[:1] == ["de"] for word in line.split() if "." in word]
    scores = comparison.results["recall@10"]
    assert cells == [f"{scores[name].languages['de'].mean:.3f}" for name in names]
    whole = io.StringIO()
    print_comparison(comparison, Console(file=whole, force_terminal=False, width=60))
    assert any(all(name in line for name in names) for line in whole.getvalue().splitlines())
