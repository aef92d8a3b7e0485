"""Reproductions whose passages are in several languages: scores, fairness, the report, what is refused."""

import gzip
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from qgdr_pyserini.cli.main import main
from qgdr_pyserini.collection.corpus import Passage, write_corpus
from qgdr_pyserini.errors import InputError
from qgdr_pyserini.evaluate.reproduce.kept_runs import write_kept_languages
from qgdr_pyserini.evaluate.reproduce.reproduction import LANGUAGES, read_reproduction, write_results
from qgdr_pyserini.files import checksum

SETTINGS = """
about = "A pool of two languages"
collection = "qgdr collection build sample --output {collection}"
metrics = ["hit_rate@1", "recall@10"]
hits = 10
tolerance = 0.001

[vary]
passages = ["de", "zh"]

[commands]
bm25 = ["qgdr bm25"]
"bm25-{passages}" = ["qgdr bm25 --corpus {passages}"]

[passage_languages]
over = "passages"
runs = { bm25 = "bm25-{passages}" }
metrics = ["recall@1"]
"""
KEPT = {
    "qrels.txt.gz": "x-de-1 0 d1 1\nx-de-1 0 z1 1\nx-zh-1 0 d1 1\nx-zh-1 0 z1 1\n",
    LANGUAGES: "d1\tde\nd2\tde\nz1\tzh\nz2\tzh\n",
    "run.bm25.txt.gz": "x-de-1 Q0 d1 1 2 t\nx-de-1 Q0 d2 2 1 t\nx-zh-1 Q0 z2 1 2 t\nx-zh-1 Q0 d1 2 1 t\n",
    "run.bm25-de.txt.gz": "x-de-1 Q0 d1 1 2 t\nx-zh-1 Q0 d2 1 2 t\n",
    "run.bm25-zh.txt.gz": "x-de-1 Q0 z2 1 2 t\nx-zh-1 Q0 z1 1 2 t\n",
}


def reproduce(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["reproduce", *map(str, arguments)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in KEPT.items():
        with gzip.open(tmp_path / name, "wt") as file:
            file.write(text)
    (tmp_path / "reproduce.toml").write_text(SETTINGS)
    write_results(tmp_path, {}, {name: checksum(tmp_path / name) for name in KEPT})
    return tmp_path


def test_scores_fairness_and_report(folder: Path) -> None:
    result = reproduce(folder, "--extend")
    assert result.exit_code == 0, result.output
    expected = read_reproduction(folder).expected
    assert expected["bm25"]["hit_rate@1"] == {"de": 1.0, "zh": 0.0, "mean": 0.5}
    assert expected["bm25"]["own-language@10"] == {"de": 1.0, "zh": 0.5, "mean": 0.75}
    assert list(expected["bm25"]) == ["hit_rate@1", "recall@10", "own-language@10", "awrf@10"]
    assert expected["bm25-de"] == {"recall@1": {"de": 1.0, "zh": 0.0, "mean": 0.5}}
    assert expected["bm25-zh"] == {"recall@1": {"de": 0.0, "zh": 1.0, "mean": 0.5}}
    report = json.loads((folder / "report.json").read_text())
    assert [system["name"] for system in report["systems"]] == ["bm25"]
    assert report["passage_languages"]["searched_alone"] == ["bm25"]
    assert report["passage_languages"]["matrices"]["bm25"]["recall@1"] == {
        "de": {"de": 1.0, "zh": 0.0},
        "zh": {"de": 0.0, "zh": 1.0},
    }
    assert reproduce(folder, "--check").exit_code == 0


def test_other_languages_of_passages_are_noticed(folder: Path) -> None:
    assert reproduce(folder, "--extend").exit_code == 0
    with gzip.open(folder / LANGUAGES, "wt") as file:
        file.write(KEPT[LANGUAGES].replace("z1\tzh", "z1\tde"))
    result = reproduce(folder, "--check")
    assert result.exit_code == 1
    assert f"{LANGUAGES} is not the file that was kept" in result.stdout
    (folder / LANGUAGES).unlink()
    assert f"{LANGUAGES} is missing" in reproduce(folder, "--check").stdout


def test_the_languages_are_kept(tmp_path: Path) -> None:
    write_corpus(tmp_path / "c.jsonl", [Passage("d1", "", "x", "de"), Passage("d2", "", "y", "zh")])
    write_kept_languages(tmp_path / LANGUAGES, tmp_path / "c.jsonl")
    with gzip.open(tmp_path / LANGUAGES, "rt") as file:
        assert file.read() == "d1\tde\nd2\tzh\n"


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('over = "passages"', 'over = "language"', "'language' is not a name in 'vary'"),
        ("runs = { bm25 =", "runs = { bm26 =", "there are no commands for 'bm26'"),
        ('"bm25-{passages}" }', '"bm25-{other}" }', "there are no commands for 'bm25-{other}'"),
        ("tolerance", "by_language = false\ntolerance", "does not go with"),
        ('metrics = ["recall@1"]', "", "metrics"),
    ],
)
def test_settings_that_do_not_fit(tmp_path: Path, old: str, new: str, problem: str) -> None:
    (tmp_path / "reproduce.toml").write_text(SETTINGS.replace(old, new))
    with pytest.raises(InputError, match=problem):
        read_reproduction(tmp_path)
    result = reproduce(tmp_path, "--check")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
