"""Comparisons in which a value is varied: systems written once, and a figure of curves."""

import gzip
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from qgdr_pyserini.cli.main import main
from qgdr_pyserini.evaluate.reproduce.reproduction import choices, expand, fill, read_reproduction

RUNS = Path(__file__).resolve().parents[2] / "runs"
TOML = """
about = "Re-ranking by a teacher that sees some of the answers"
data = "make.py"
collection = "qgdr collection build sample --output {collection}"
metrics = ["hit_rate@1"]
hits = 10
tolerance = 0.001
by_language = false
found_only = true

[vary]
share = ["10", "100"]
seed = ["1", "2"]

[curves]
metric = "hit_rate@1"
over = "share"
spread = "seed"
axis = "share (%)"

[curves.panels."some candidates"]
"teacher" = "first+teacher-{share}-{seed}"
"as found" = "first"

[commands]
first = ["python {data}/make.py {collection} {runs}/run.first.txt 0 0"]
"first+teacher-{share}-{seed}" = [
    "python {data}/make.py {collection} {runs}/run.first+teacher-{share}-{seed}.txt {share} {seed}",
]
"""
# Of three queries in four the relevant passage is among the hits; a share of them has it first.
MAKE = """
import random, sys, zlib
collection, target, share, seed = sys.argv[1:]
chance = random.Random(f"{share} {seed}")
with open(target, "w") as file:
    qrels = dict(line.split(" 0 ") for line in open(f"{collection}/qrels.txt"))
    for qid, docid in sorted((qid, rest.split()[0]) for qid, rest in qrels.items()):
        if zlib.crc32(qid.encode()) % 4:
            score = 2 if chance.random() < (0.2 + float(share) / 200) else 0
            print(qid, "Q0", docid, 1, score, "x", file=file)
        print(qid, "Q0", "none", 2, 1, "x", file=file)
"""


def reproduce(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["reproduce", *map(str, arguments)])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs, its data beside it, and what was made on the way."""
    folder = tmp_path_factory.mktemp("curves")
    (folder / "data").mkdir()
    (folder / "data" / "make.py").write_text(MAKE)
    (folder / "runs").mkdir()
    (folder / "runs" / "reproduce.toml").write_text(TOML)
    result = reproduce(folder / "runs", "--update", "--data", folder / "data", "--work", folder / "work")
    assert result.exit_code == 0, result.output
    return folder


def test_every_value_makes_a_system_and_a_run(made: Path) -> None:
    systems = ["first", *(f"first+teacher-{share}-{seed}" for share in (10, 100) for seed in (1, 2))]
    assert read_reproduction(made / "runs").systems == systems
    names = {"reproduce.toml", "qrels.txt.gz", "report.md", "report.json", "curves.svg", "curves.png"}
    assert {file.name for file in (made / "runs").iterdir()} == {
        *names, *(f"run.{system}.txt.gz" for system in systems)
    }  # fmt: skip
    result = reproduce(made / "runs", "--check")
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "5 of 5 scores OK")


def test_scores_are_of_the_queries_that_something_was_found_for(made: Path) -> None:
    with gzip.open(made / "runs" / "run.first+teacher-100-2.txt.gz", "rt") as file:
        rows = [line.split() for line in file]
    found = {row[0] for row in rows if row[2] != "none"}
    first = {row[0] for row in rows if row[2] != "none" and row[3] == "1"}
    score = read_reproduction(made / "runs").expected["first+teacher-100-2"]["hit_rate@1"]["all"]
    assert score == pytest.approx(len(first & found) / len(found), abs=1e-4)
    panel = json.loads((made / "runs" / "report.json").read_text())["panels"][0]
    assert panel["queries"] == len(found) < panel["judged"]


def test_the_report_has_means_spread_differences_and_a_picture(made: Path) -> None:
    expected = read_reproduction(made / "runs").expected
    values = [expected[f"first+teacher-100-{seed}"]["hit_rate@1"]["all"] for seed in (1, 2)]
    mean, base = sum(values) / 2, expected["first"]["hit_rate@1"]["all"]
    report = (made / "runs" / "report.md").read_text()
    assert "![hit_rate@1 by share (%)](curves.png)" in report
    lines = {line.split(" | ")[0]: line.split(" | ")[-1] for line in report.splitlines() if "|" in line}
    assert lines["| teacher"].startswith(f"{mean:.3f} ± {abs(values[0] - values[1]) / 2**0.5:.3f} [")
    assert lines["| as found"].startswith(f"{base:.3f} [")
    assert lines["| teacher − as found"].startswith(f"{mean - base:+.3f} [")
    assert (made / "runs" / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert "as found" in (made / "runs" / "curves.svg").read_text()


def test_a_changed_run_fails_its_score(made: Path) -> None:
    file = made / "runs" / "run.first+teacher-10-1.txt.gz"
    before = file.read_bytes()
    file.write_bytes(gzip.compress(gzip.decompress(before).replace(b" 2 x", b" 0 x")))
    result = reproduce(made / "runs", "--check")
    file.write_bytes(before)
    assert result.exit_code == 1
    failed = [line.split()[1] for line in result.stdout.splitlines() if line.startswith("FAIL")]
    assert failed == ["first+teacher-10-1"]


def test_what_was_stopped_goes_on_and_one_more_value_makes_its_runs_alone(made: Path) -> None:
    (made / "data" / "make.py").rename(made / "data" / "gone.py")
    again = reproduce(made / "runs", "--full", "--data", made / "data", "--work", made / "work")
    assert (again.exit_code, again.stderr.count("done before: ")) == (0, 6)
    (made / "data" / "gone.py").rename(made / "data" / "make.py")
    path = made / "runs" / "reproduce.toml"
    path.write_text(path.read_text().replace('seed = ["1", "2"]', 'seed = ["1", "2", "3"]'))
    more = reproduce(made / "runs", "--update", "--data", made / "data", "--work", made / "work")
    assert (more.exit_code, more.stderr.count("done before: "), more.stderr.count("$ ")) == (0, 6, 2)
    assert "3 runs (seed 1, 2, 3)" in (made / "runs" / "report.md").read_text()


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('over = "share"', 'over = "shore"', "'shore' is not a name in 'vary'"),
        ('metric = "hit_rate@1"', 'metric = "mrr@10"', "'mrr@10' is not among 'metrics'"),
        ('["10", "100"]', '["10", "all"]', "'all' in vary.share is not a number"),
        ('"as found" = "first"', '"as found" = "last"', "no commands for 'last'"),
        ("axis =", "axes =", "needs the key 'curves.axis'"),
    ],
)
def test_curves_that_cannot_be_drawn_are_one_line(tmp_path: Path, old: str, new: str, problem: str) -> None:
    (tmp_path / "reproduce.toml").write_text(TOML.replace(old, new))
    result = reproduce(tmp_path, "--check")
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert problem in result.stderr


NAMES = st.sampled_from(["share", "seed", "work"])
VARY = st.dictionaries(NAMES, st.lists(st.text("abc123", min_size=1), min_size=1, unique=True), min_size=1)


@given(st.lists(st.text("x-") | NAMES.map("{{{}}}".format), min_size=1).map("".join), VARY)
def test_names_that_vary_are_filled_in_and_others_stay(template: str, vary: dict[str, list[str]]) -> None:
    filled = [fill(template, values) for values in choices(template, vary)]
    assert len(filled) >= 1
    for text in filled:
        assert not any(f"{{{name}}}" in text for name in vary)
    assert set(expand({template: [template]}, vary)) == set(filled)
