"""Comparisons of systems that were made with several seeds: one table of means, spread and tests."""

import json
import statistics
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from scipy.stats import ttest_rel

from qgdr_pyserini.cli.main import main
from qgdr_pyserini.collection.trec import read_qrels
from qgdr_pyserini.evaluate.metrics import score_queries
from qgdr_pyserini.evaluate.reproduce.reproduction import read_reproduction
from qgdr_pyserini.evaluate.systems import read_system

TOML = """
about = "Three systems that know more or less"
data = "make.py"
collection = "qgdr collection build sample --output {collection}"
metrics = ["recall@10", "mrr@10"]
hits = 10
tolerance = 0.001
mean_of = ["de", "es"]

[vary]
seed = ["1", "2", "3"]

[table]
spread = "seed"
baseline = "one half"

[table.rows]
"where all start" = "start"
"one half" = "half-{seed}"
"nearly all" = "most-{seed}"

[commands]
start = ["python {data}/make.py {collection} {runs}/run.start.txt 0.4 0"]
"half-{seed}" = ["python {data}/make.py {collection} {runs}/run.half-{seed}.txt 0.5 {seed}"]
"most-{seed}" = ["python {data}/make.py {collection} {runs}/run.most-{seed}.txt 0.95 {seed}"]
"""
MAKE = """
import random, sys
collection, target, share, seed = sys.argv[1:]
chance = random.Random(f"{share} {seed}")
with open(target, "w") as file:
    qrels = dict(line.split(" 0 ") for line in open(f"{collection}/qrels.txt"))
    for qid, docid in sorted((qid, rest.split()[0]) for qid, rest in qrels.items()):
        found = docid if chance.random() < float(share) else "none"
        print(qid, "Q0", found, 1, 1, "x", file=file)
"""


def reproduce(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["reproduce", *map(str, arguments)])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("table")
    (folder / "make.py").write_text(MAKE)
    (folder / "runs").mkdir()
    (folder / "runs" / "reproduce.toml").write_text(TOML)
    result = reproduce(folder / "runs", "--update", "--data", folder)
    assert result.exit_code == 0, result.output
    return folder / "runs"


def by_query(folder: Path, system: str, language: str) -> np.ndarray:
    qrels = read_qrels(folder / "qrels.txt.gz")
    qids = [qid for qid in sorted(qrels) if f"-{language}-" in qid]
    runs = [read_system(system, [str(file)]).run for file in sorted(folder.glob(f"run.{system}-*.txt.gz"))]
    return np.stack([score_queries(qrels, run, qids, ["recall@10"])["recall@10"] for run in runs])


def table(report: str, heading: str) -> dict[str, dict[str, str]]:
    """Read the first table below a heading: cell by column by row."""
    lines = report[report.index(heading) :].splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith("|"))
    head, _, *rest = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[start:]]
    rows = rest[: next((n for n, row in enumerate(rest) if len(row) < 2), len(rest))]
    return {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows}


def test_a_row_is_the_mean_of_its_repeats_with_their_spread(made: Path) -> None:
    expected = read_reproduction(made).expected
    report = (made / "report.md").read_text()
    cells = table(report, "## recall@10")
    assert list(cells) == ["where all start", "one half (baseline)", "nearly all"]
    for language in ("de", "mean"):
        values = [expected[f"half-{seed}"]["recall@10"][language] for seed in (1, 2, 3)]
        text = f"{statistics.mean(values):.3f} ± {statistics.stdev(values):.3f}"
        assert cells["one half (baseline)"][language] == text
    assert "±" not in cells["where all start"]["de"]
    de, es = (expected["start"]["recall@10"][language] for language in ("de", "es"))
    assert cells["where all start"]["mean"] == f"{(de + es) / 2:.3f}"
    assert "3 runs (seed 1, 2, 3)" in report
    assert "mean is that of de, es" in report


def test_differences_are_tested_on_the_means_over_repeats(made: Path) -> None:
    found = json.loads((made / "report.json").read_text())["results"]["recall@10"]
    half, most = (by_query(made, system, "de").mean(axis=0) for system in ("half", "most"))
    cell = found["nearly all"]["de"]
    assert cell["difference"] == pytest.approx((most - half).mean(), abs=1e-6)
    assert cell["p"] == pytest.approx(ttest_rel(most, half).pvalue)
    assert cell["p"] < cell["p_holm"] < 0.01
    cells = table((made / "report.md").read_text(), "## recall@10")
    assert cells["nearly all"]["de"].endswith(r" ↑\*\*")
    assert "p" not in found["one half"]["de"]
    assert "p" not in found["nearly all"]["mean"]
    low, high = found["nearly all"]["mean"]["interval"]
    assert 0 < low < found["nearly all"]["mean"]["difference"] < high
    differences = table((made / "report.md").read_text(), "### Differences from one half")
    assert list(differences) == ["where all start", "nearly all"]
    assert differences["nearly all"]["de"].endswith("p < 0.001")


def test_equal_runs_give_equal_reports(made: Path) -> None:
    before = (made / "report.json").read_bytes(), (made / "report.md").read_bytes()
    assert reproduce(made, "--update", "--data", made.parent).exit_code == 0
    assert ((made / "report.json").read_bytes(), (made / "report.md").read_bytes()) == before
    result = reproduce(made, "--check")
    scores = 7 * 2 * (len(json.loads(before[0])["results"]["mrr@10"]["one half"]))
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, f"{scores} of {scores} scores OK")


def test_a_table_for_each_value_tests_within_it(tmp_path: Path) -> None:
    (tmp_path / "make.py").write_text(MAKE)
    (tmp_path / "runs").mkdir()
    text = TOML.replace('seed = ["1", "2", "3"]', 'seed = ["1", "2"]\nhelp = ["some", "none"]')
    text = text.replace(
        'spread = "seed"\n', 'spread = "seed"\nover = "help"\ntitles = { some = "With some help" }\n'
    )
    text = text.replace("[table]", '[options.help]\nsome = "0.95 7"\nnone = "0.5 7"\n\n[table]')
    text = text.replace('"most-{seed}" = ', '"most-{help}-{seed}" = ').replace(
        '= "most-{seed}"', '= "most-{help}-{seed}"'
    )
    text = text.replace("run.most-{seed}.txt 0.95 {seed}", "run.most-{help}-{seed}.txt {help.options}{seed}")
    (tmp_path / "runs" / "reproduce.toml").write_text(text)
    done = reproduce(tmp_path / "runs", "--update", "--data", tmp_path)
    assert done.exit_code == 0, done.output
    report = (tmp_path / "runs" / "report.md").read_text()
    helped, alone = report.index("## With some help"), report.index("## none")
    assert helped < alone
    tables = {"some": report[helped:alone], "none": report[alone:]}
    found = json.loads((tmp_path / "runs" / "report.json").read_text())["results"]["help"]
    for value, part in tables.items():
        cells = table(part, "### recall@10")
        assert list(cells) == ["where all start", "one half (baseline)", "nearly all"]
        scores = [read_reproduction(tmp_path / "runs").expected[f"most-{value}-{seed}"] for seed in (1, 2)]
        mean = statistics.mean(score["recall@10"]["de"] for score in scores)
        assert cells["nearly all"]["de"].startswith(f"{mean:.3f} ± ")
        assert found[value]["recall@10"]["nearly all"]["de"]["score"] == pytest.approx(mean, abs=1e-4)
    # What was made once for all, and the baseline, are the same in both; what help changes is not.
    one_half = [found[value]["recall@10"]["one half"] for value in tables]
    assert one_half[0] == one_half[1]
    assert found["some"]["recall@10"]["nearly all"]["de"]["p_holm"] < 0.01
    assert found["none"]["recall@10"]["nearly all"]["de"]["p_holm"] > 0.01
    assert "of a table in every language" in report


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('spread = "seed"', 'spread = "seed"\nover = "help"', "'help' is not a name in 'vary'"),
        ('spread = "seed"', 'spread = "seed"\ntitles = { a = "b" }', "title for 'a', which is not a value"),
        ("[table]", '[options.help]\na = ""\n[table]', "options: 'help' is not a name in 'vary'"),
        ("[table]", '[options.seed]\n1 = ""\n[table]', "options.seed: has none for '2'"),
        ('spread = "seed"', 'spread = "seeds"', "'seeds' is not a name in 'vary'"),
        ('baseline = "one half"', 'baseline = "half"', "baseline 'half' is none of its rows"),
        ('"nearly all" = "most-{seed}"', '"nearly all" = "all-{seed}"', "no commands for 'all-{seed}'"),
        ("mean_of =", "by_language = false\nmean_of =", "its columns are languages"),
    ],
)
def test_tables_that_cannot_be_made_are_one_line(tmp_path: Path, old: str, new: str, problem: str) -> None:
    (tmp_path / "reproduce.toml").write_text(TOML.replace(old, new))
    result = reproduce(tmp_path, "--check")
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert problem in result.stderr
