"""Languages of passages: fairness worked out by hand, the matrix, and `qgdr compare --passage-languages`."""

import json
import math

import pytest
from click.testing import CliRunner

from qgdr_pyserini.cli.main import main
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.evaluate.passage_languages import (
    judged_within,
    pool_shares,
    score_fairness,
    score_matrices,
)
from qgdr_pyserini.evaluate.rank_fairness import awrf, peer

LANGUAGES = {"d1": "de", "d2": "de", "z1": "zh", "z2": "zh"}
QRELS = {"x-de-1": {"d1": 1, "z1": 1}, "x-zh-1": {"d1": 1, "z1": 1}}
RUN = {
    "x-de-1": {"d1": 4.0, "d2": 3.0, "z2": 2.0, "z1": 1.0},
    "x-zh-1": {"z1": 3.0, "z2": 2.0, "d1": 1.0},
}
GROUPS = {"de": ["x-de-1"], "zh": ["x-zh-1"]}


def divergence(one, other):
    """Jensen-Shannon, in bits."""
    middle = [(a + b) / 2 for a, b in zip(one, other, strict=True)]

    def half(part):
        return sum(p * math.log2(p / m) for p, m in zip(part, middle, strict=True) if p) / 2

    return half(one) + half(other)


def test_awrf_of_two_ranks_by_hand():
    attention = 1 / math.log2(2), 1 / math.log2(3)
    exposure = [part / sum(attention) for part in attention]
    assert awrf(["de", "zh"], {"de": 0.5, "zh": 0.5}) == pytest.approx(1 - divergence(exposure, [0.5, 0.5]))


def test_awrf_at_its_ends():
    assert awrf(["de", "de"], {"de": 1.0}) == pytest.approx(1.0)
    assert awrf(["zh"], {"de": 1.0}) == pytest.approx(0.0)
    # One language of two: JSD((1, 0), (1/2, 1/2)) = 1.5 - 0.75 * log2(3).
    assert awrf(["de"] * 10, {"de": 0.5, "zh": 0.5}) == pytest.approx(1 - (1.5 - 0.75 * math.log2(3)))


def test_peer_by_hand():
    # Ranks 1, 2 and 3, 4: H = 12 / (4·5) · (3²/2 + 7²/2) - 3·5 = 2.4, and chi²(1) exceeds it by .1213.
    relevant = dict.fromkeys(LANGUAGES, 1)
    assert peer(["d1", "d2", "z1", "z2"], relevant, LANGUAGES, 10) == pytest.approx(math.erfc(math.sqrt(1.2)))
    assert peer(["d1", "z1", "z2", "d2"], relevant, LANGUAGES, 10) == pytest.approx(1.0)


def test_peer_counts_what_was_not_found_behind_the_hits_and_levels_alike():
    relevant = dict.fromkeys(LANGUAGES, 1)
    # Nothing found is nothing preferred; the two Chinese share rank 3.5: H = 2.4 / (1 - (2³-2)/(4³-4)).
    assert peer([], relevant, LANGUAGES, 10) == 1.0
    tied = math.erfc(math.sqrt(2.4 / (1 - 6 / 60) / 2))
    assert peer(["d1", "d2"], relevant, LANGUAGES, 10) == pytest.approx(tied)
    assert peer(["d1", "d2", "z1", "z2"], relevant, LANGUAGES, 2) == pytest.approx(tied)
    more = LANGUAGES | {"d3": "de", "d4": "de", "z3": "zh"}
    graded = relevant | {"d3": 2, "d4": 2, "z3": 2}
    assert peer(["d1", "d2"], graded, more, 10) == pytest.approx((tied + 1) / 2)


def test_peer_says_nothing_where_it_cannot_tell():
    assert peer(["d1", "z1"], {"d1": 1, "z1": 1, "d2": 0}, LANGUAGES, 10) is None
    assert peer(["d1", "d2"], {"d1": 1, "d2": 1}, LANGUAGES, 10) is None


def test_own_languages_share_against_the_pool():
    found = score_fairness(RUN, QRELS, GROUPS, LANGUAGES)
    assert list(found) == ["de", "zh", "mean"]
    assert (found["de"].own, found["zh"].own) == (0.5, pytest.approx(2 / 3))
    assert found["mean"].own == pytest.approx((0.5 + 2 / 3) / 2)
    assert (found["de"].pool, found["mean"].queries, found["de"].peer) == (0.5, 2, None)
    assert found["de"].awrf == pytest.approx(awrf(["de", "de", "zh", "zh"], {"de": 0.5, "zh": 0.5}))


def test_queries_without_hits_have_no_share():
    found = score_fairness({"x-de-1": RUN["x-de-1"]}, QRELS, GROUPS, LANGUAGES)
    assert (list(found), found["mean"].queries) == (["de", "mean"], 1)


def test_regions_are_of_the_language():
    found = score_fairness({"q": {"d1": 1.0}}, {}, {"zh_cn": ["q"]}, {"d1": "zh-TW", "d2": "de"})
    assert (found["zh_cn"].own, found["zh_cn"].pool) == (1.0, 0.5)


def test_a_passage_whose_language_is_not_known():
    with pytest.raises(QgdrError, match="has no passage 'd9', which is listed for query 'q'"):
        score_fairness({"q": {"d9": 1.0}}, {}, {"de": ["q"]}, LANGUAGES)


def test_the_matrix_ranks_a_languages_passages_among_each_other():
    matrix = score_matrices(RUN, QRELS, GROUPS, LANGUAGES, ["recall@1", "mrr@10"])
    assert matrix["recall@1"] == {"de": {"de": 1.0, "zh": 0.0}, "zh": {"de": 1.0, "zh": 1.0}}
    assert matrix["mrr@10"]["de"]["zh"] == 0.5
    assert judged_within(QRELS, LANGUAGES, "zh") == {"x-de-1": {"z1": 1}, "x-zh-1": {"z1": 1}}
    assert pool_shares(LANGUAGES) == {"de": 0.5, "zh": 0.5}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    judged = [f"{qid} 0 {docid} 1\n" for qid, row in QRELS.items() for docid in row]
    (tmp_path / "qrels.txt").write_text("".join(judged))
    hits = [f"{qid} Q0 {docid} 1 {score} t\n" for qid, row in RUN.items() for docid, score in row.items()]
    (tmp_path / "one.txt").write_text("".join(hits))
    (tmp_path / "languages.tsv").write_text("".join(f"{d}\t{lang}\n" for d, lang in LANGUAGES.items()))
    rows = [{"id": d, "text": "x", "language": lang} for d, lang in LANGUAGES.items()]
    (tmp_path / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def compare(*words):
    arguments = ("--qrels", "qrels.txt", "--run", "one.txt", "--output", "out", "--overwrite")
    return CliRunner().invoke(main, ["compare", *arguments, *words])


def test_every_report_tells_of_the_languages(folder):
    result = compare("--passage-languages", "languages.tsv")
    assert result.exit_code == 0, result.output
    assert "Languages of passages" in result.stdout
    report = json.loads((folder / "out/report.json").read_text())["passage_languages"]
    assert report["fairness"]["one"]["de"]["own"] == 0.5
    assert report["matrices"]["one"]["recall@1"]["de"] == {"de": 1.0, "zh": 0.0}
    markdown = (folder / "out/report.md").read_text()
    assert "| zh | one | 1 | 0.667 | 0.500 |" in markdown
    assert "| de | 1.000 | 0.000 |" in markdown
    assert r"questions in & de & zh \\" in (folder / "out/report.tex").read_text()
    page = (folder / "out/report.html").read_text()
    assert page.count('<figure class="map">') == 2
    assert "one, questions in de, passages in zh: 0.000" in page
    assert (folder / "out/figures/languages-recall-10-1.svg").is_file()
    table = (folder / "out/report.md").read_bytes()
    assert compare("--passage-languages", "corpus.jsonl").exit_code == 0
    assert (folder / "out/report.md").read_bytes() == table


def test_without_the_option_nothing_is_told(folder):
    assert compare().exit_code == 0
    assert json.loads((folder / "out/report.json").read_text())["passage_languages"] is None
    assert "Languages of passages" not in (folder / "out/report.md").read_text()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("d1\tde\n", "--passage-languages: has no passage 'd2', which is listed for query 'x-de-1'"),
        ("d1 de\n", "languages.tsv:1: needs docid<TAB>language"),
        ("", "languages.tsv: holds no passages"),
        (None, "languages.tsv: no such file"),
    ],
)
def test_bad_input_is_one_line(folder, content, message):
    (folder / "languages.tsv").unlink()
    if content is not None:
        (folder / "languages.tsv").write_text(content)
    result = compare("--passage-languages", "languages.tsv")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert message in result.stderr
    assert not (folder / "out").exists()


def test_judgements_are_needed(folder):
    words = ["--answers", "a.jsonl", "--corpus", "corpus.jsonl", "--run", "one.txt", "--output", "out"]
    result = CliRunner().invoke(main, ["compare", *words, "--passage-languages", "languages.tsv"])
    assert (result.exit_code, result.stderr) == (2, "Error: --passage-languages needs --qrels FILE\n")
