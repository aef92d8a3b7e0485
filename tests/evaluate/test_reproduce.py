"""`qgdr reproduce`: the comparisons under runs/ come out again, and a change is seen."""

import gzip
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from qgdr_pyserini.cli.main import main
from qgdr_pyserini.collection.trec import rank_hits, read_run
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.evaluate.reproduce.kept_runs import write_kept_run
from qgdr_pyserini.evaluate.reproduce.reproduction import (
    MARKER,
    Reproduction,
    read_reproduction,
    write_results,
)
from qgdr_pyserini.evaluate.reproduce.workflow import remake
from qgdr_pyserini.files import checksum

RUNS = Path(__file__).resolve().parents[2] / "runs"
SMALL = """
about = "BM25 on the sample collection"
collection = "qgdr collection build sample --output {collection}"
metrics = ["recall@10"]
hits = 10
tolerance = 0.001
mean_of = ["de", "fr"]

[commands]
bm25 = ["qgdr bm25 --corpus {collection} --topics '{collection}/topics.*.tsv' --output {runs}"]
"""


def reproduce(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["reproduce", *map(str, arguments)])


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    return Path(shutil.copytree(RUNS / "sample", tmp_path / "sample"))


def contents(folder: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def failed(result: Result) -> set[str]:
    return {line.split()[1] for line in result.stdout.splitlines() if line.startswith("FAIL")}


@pytest.mark.parametrize("name", sorted(file.parent.name for file in RUNS.glob("*/reproduce.toml")))
def test_the_kept_runs_score_what_they_scored(name: str) -> None:
    result = reproduce(RUNS / name, "--check")
    assert result.exit_code == 0, result.output
    assert failed(result) == set()
    systems = read_reproduction(RUNS / name).systems
    assert all(f"\nOK    {system} " in f"\n{result.stdout}" for system in systems)


def test_the_sample_comes_out_again_from_scratch() -> None:
    before = {file.name: file.read_bytes() for file in (RUNS / "sample").iterdir() if file.is_file()}
    result = reproduce(RUNS / "sample", "--full")
    assert result.exit_code == 0, result.output
    assert "$ qgdr encode-corpus" in result.stderr
    assert result.stdout.count("OK  ") == len(result.stdout.splitlines()) - 1 > 100
    assert {file.name: file.read_bytes() for file in (RUNS / "sample").iterdir() if file.is_file()} == before


def test_a_changed_run_fails_every_score_from_it_and_says_why(sample: Path) -> None:
    file = sample / "run.qgdr.txt.gz"
    text = gzip.decompress(file.read_bytes()).decode()
    file.write_bytes(gzip.compress(text.replace("sample-de-", "sample-xx-").encode()))
    result = reproduce(sample, "--check")
    assert result.exit_code == 1
    assert failed(result) == {"qgdr", "bm25+qgdr"}
    line = next(line for line in result.stdout.splitlines() if "qgdr       recall@10  de" in line)
    assert line.split(maxsplit=6)[:5] == ["FAIL", "qgdr", "recall@10", "de", "0.0000"]
    assert line.endswith("run.qgdr.txt.gz is not the file that was kept (its checksum differs)")
    assert result.stdout.splitlines()[-1] == "39 of 117 scores OK, 78 FAILED"


@pytest.mark.parametrize(
    ("name", "content", "reason", "systems"),
    [
        ("run.bm25.txt.gz", None, "run.bm25.txt.gz is missing", {"bm25", "bm25+qgdr"}),
        ("run.bm25.txt.gz", b"\x1f\x8bno", "its checksum differs", {"bm25", "bm25+qgdr"}),
        ("run.bm25.txt.gz", gzip.compress(b"q Q0\n", mtime=0), "its checksum differs", {"bm25", "bm25+qgdr"}),
        ("qrels.txt.gz", None, "qrels.txt.gz is missing", {"bm25", "qgdr", "bm25+qgdr"}),
    ],
)
def test_a_file_that_cannot_be_read_fails_what_depends_on_it(
    sample: Path, name: str, content: bytes | None, reason: str, systems: set[str]
) -> None:
    if content is None:
        (sample / name).unlink()
    else:
        (sample / name).write_bytes(content)
    result = reproduce(sample, "--check")
    assert (result.exit_code, failed(result)) == (1, systems)
    assert reason in result.stdout


def test_a_score_off_by_more_than_the_tolerance_fails_and_one_within_does_not(sample: Path) -> None:
    path = sample / "reproduce.toml"
    head, results = path.read_text().split(MARKER)
    name = '[expected."qgdr"."recall@10"]\nar = '
    start = results.index(name) + len(name)
    score = float(results[start : start + 6])
    for change, problem in ((0.0019, False), (-0.0021, True)):
        path.write_text(f"{head}{MARKER}{results[:start]}{score + change:.4f}{results[start + 6 :]}")
        result = reproduce(sample, "--check")
        assert (result.exit_code, failed(result)) == ((1, {"qgdr"}) if problem else (0, set()))
    assert "off by +0.0021, more than 0.002" in result.stdout


def test_update_keeps_runs_scores_and_report_and_leaves_what_was_written_by_hand(tmp_path: Path) -> None:
    (tmp_path / "reproduce.toml").write_text(SMALL)
    (tmp_path / "run.old.txt.gz").write_bytes(b"")
    before = reproduce(tmp_path, "--check")
    assert (before.exit_code, "missing" in before.stdout) == (1, True)
    result = reproduce(tmp_path, "--update")
    assert result.exit_code == 0, result.output
    names = {"reproduce.toml", "run.bm25.txt.gz", "qrels.txt.gz", "report.md", "report.html", "report.json"}
    assert {file.name for file in tmp_path.iterdir()} >= names
    assert not (tmp_path / "run.old.txt.gz").exists()
    assert (tmp_path / "reproduce.toml").read_text().startswith(SMALL.rstrip() + "\n\n" + MARKER)
    scores = read_reproduction(tmp_path).expected["bm25"]["recall@10"]
    assert scores["mean"] == pytest.approx((scores["de"] + scores["fr"]) / 2, abs=1e-4)
    text = (tmp_path / "reproduce.toml").read_text()
    write_results(tmp_path, read_reproduction(tmp_path).expected, read_reproduction(tmp_path).checksums)
    assert (tmp_path / "reproduce.toml").read_text() == text
    assert reproduce(tmp_path, "--check").exit_code == 0


def copying(system: str, source: Path) -> str:
    """Write a system whose command copies a run."""
    code = f"import shutil; shutil.copy('{source}', '{{runs}}/run.{system}.txt')"
    return f'{system} = ["python -c \\"{code}\\""]\n'


def commands_run(result: Result) -> list[str]:
    lines = [line for line in result.stderr.splitlines() if line.startswith("$ ")]
    return [next((name for name in ("shared", "bm25", "run.copy") if name in line), "") for line in lines]


@pytest.fixture(scope="module")
def kept_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kept")
    shared = "shared = [\"python -c 'shared = 1'\"]\n"
    (folder / "reproduce.toml").write_text(shared + SMALL)
    result = reproduce(folder, "--update")
    assert result.exit_code == 0, result.output
    assert commands_run(result) == ["", "shared", "bm25"]
    return folder


@pytest.fixture
def kept(kept_once: Path, tmp_path: Path) -> Path:
    """Give a folder in which BM25's run on the sample collection is kept."""
    return Path(shutil.copytree(kept_once, tmp_path / "kept"))


def with_a_copy(kept: Path) -> None:
    """Add a system whose run is a copy of the one that is kept."""
    run = kept.parent / "run.txt"
    run.write_bytes(gzip.decompress((kept / "run.bm25.txt.gz").read_bytes()))
    head, results = (kept / "reproduce.toml").read_text().split(MARKER)
    (kept / "reproduce.toml").write_text(f"{head}{copying('copy', run)}\n{MARKER}{results}")


def test_extend_makes_only_the_runs_that_are_not_kept(kept: Path) -> None:
    before = (kept / "run.bm25.txt.gz").read_bytes()
    scores = read_reproduction(kept).expected["bm25"]
    with_a_copy(kept)
    result = reproduce(kept, "--extend")
    assert result.exit_code == 0, result.output
    assert commands_run(result) == ["", "shared", "run.copy"]
    assert (kept / "run.bm25.txt.gz").read_bytes() == before
    assert read_reproduction(kept).expected == {"bm25": scores, "copy": scores}
    assert "copy" in (kept / "report.md").read_text()

    (kept / "run.bm25.txt.gz").write_bytes(gzip.compress(b""))
    assert commands_run(reproduce(kept, "--extend")) == ["", "shared", "bm25"]
    assert (kept / "run.bm25.txt.gz").read_bytes() == before


def test_comparisons_that_share_a_folder_run_what_they_share_once(kept: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(kept, tmp_path / "other"))
    results = [reproduce(folder, "--work", tmp_path / "work") for folder in (kept, other, kept)]
    assert [result.exit_code for result in results] == [0, 0, 0]
    assert [commands_run(result) for result in results] == [["", "shared", "bm25"], ["", "bm25"], []]


def test_extend_scores_anew_what_is_all_kept(kept: Path) -> None:
    path = kept / "reproduce.toml"
    path.write_text(path.read_text().replace('["recall@10"]', '["recall@10", "mrr@10"]'))
    assert reproduce(kept, "--check").exit_code == 1
    result = reproduce(kept, "--extend")
    assert (result.exit_code, commands_run(result)) == (0, [])
    assert list(read_reproduction(kept).expected["bm25"]) == ["recall@10", "mrr@10"]


def test_extend_puts_no_run_beside_those_of_another_collection(kept: Path) -> None:
    with_a_copy(kept)
    path = kept / "reproduce.toml"
    qrels = kept / "qrels.txt.gz"
    was = read_reproduction(kept).checksums["qrels.txt.gz"]
    qrels.write_bytes(gzip.compress(gzip.decompress(qrels.read_bytes()) + b"sample-de-new 0 x 1\n"))
    path.write_text(path.read_text().replace(was, checksum(qrels)))
    before = contents(kept)
    result = reproduce(kept, "--extend")
    assert (result.exit_code, "make all runs anew with --update" in result.stderr) == (2, True)
    assert commands_run(result) == [""]
    assert contents(kept) == before


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("hits = 10", "hits = 10\nmetric = []", "unknown key 'metric'; did you mean 'metrics'?"),
        ("hits = 10", "hits = ", "not TOML"),
        ("tolerance = 0.001", "tolerance = 2.0", "tolerance: "),
        ('["recall@10"]', '["recal@10"]', "unknown metric 'recal@10'"),
        ("bm25 = [", '"b m" = [', "system 'b m': letters"),
        ("[commands]", '[fuse.x]\nmethod = "rrf"\nsystems = ["bm25", "y"]\n[commands]', "system 'y'"),
        ("[commands]", '[fuse.x]\nmethod = "rf"\nsystems = ["bm25", "bm25"]\n[commands]', "method 'rf'"),
        ("hits = 10", 'hits = 10\ndata = "xquad/"', "pass --data DIR, which holds xquad/; or --check"),
        ("qgdr bm25", "rm", "begins with neither 'qgdr' nor 'python'"),
        ("--output {runs}", "--output {run}", "'run' stands for nothing; there are {data}"),
        ("qgdr bm25", "qgdr bm26", "ended with exit code 2"),
    ],
)
def test_what_cannot_be_run_is_one_line(tmp_path: Path, old: str, new: str, problem: str) -> None:
    (tmp_path / "reproduce.toml").write_text(SMALL.replace(old, new))
    result = reproduce(tmp_path)
    assert result.exit_code == 2
    errors = [line for line in result.stderr.splitlines() if not line.startswith("$")]
    assert len(errors) == 1
    assert problem in errors[0]
    assert [file.name for file in tmp_path.iterdir()] == ["reproduce.toml"]


def test_a_folder_without_reproduce_toml_is_named(tmp_path: Path) -> None:
    result = reproduce(tmp_path, "--check")
    assert (result.exit_code, "reproduce.toml: no such file" in result.stderr) == (2, True)


def test_places_with_spaces_reach_commands_whole(tmp_path: Path) -> None:
    work = tmp_path / "a place"
    work.mkdir()
    with pytest.raises(QgdrError, match=r"left no run\.x\.txt or run\.x\.LANG\.txt"):
        remake(
            Reproduction.checked(
                {
                    "about": "",
                    "collection": "qgdr collection build sample --output {collection}",
                    "commands": {
                        "x": ["python -c 'import sys; assert sys.argv[1:] == sys.argv[1:2]' {work}"]
                    },
                    "metrics": ["map"],
                    "hits": 1,
                    "tolerance": 0.01,
                },
                "reproduce.toml",
            ),
            "comparison",
            None,
            work,
            tmp_path / "kept",
            lambda line: None,
        )


SCORES = st.floats(-1000, 1000) | st.sampled_from([0.0, 0.11111, 0.111112, 0.1111124])
HITS = st.dictionaries(st.sampled_from([f"d{n}" for n in range(30)]), SCORES, min_size=1)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["q1", "q2", "q3"]), HITS, min_size=1), st.integers(1, 8))
def test_a_kept_run_is_in_the_order_of_the_run(tmp_path_factory, run, hits: int) -> None:
    path = tmp_path_factory.mktemp("kept") / "run.x.txt.gz"
    ranked = {qid: rank_hits(found) for qid, found in run.items()}
    write_kept_run(path, ranked, hits, "x")
    kept = read_run(path)
    assert {qid: list(found) for qid, found in kept.items()} == {
        qid: list(found)[:hits] for qid, found in ranked.items()
    }
    write_kept_run(path.with_name("again.txt.gz"), kept, hits, "x")
    assert path.with_name("again.txt.gz").read_bytes() == path.read_bytes()
