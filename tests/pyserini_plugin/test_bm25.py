"""`qgdr bm25` on Pyserini's Lucene."""

import gzip
import json
import re
from collections import defaultdict
from pathlib import Path

import pytest

from qgdr_pyserini.cli.bm25 import bm25
from qgdr_pyserini.cli.group import OneLineErrorGroup
from qgdr_pyserini.collection.loaders.base import BuildRequest
from qgdr_pyserini.collection.loaders.xquad import build_xquad
from qgdr_pyserini.collection.topics import read_topics
from qgdr_pyserini.errors import InputError, QgdrError
from qgdr_pyserini.pyserini_plugin import lucene
from qgdr_pyserini.pyserini_plugin.bm25 import KEPT, Options, Reporter, write_bm25_runs

PASSAGES = {
    "danube": "The Danube rises in the Black Forest of Germany.",
    "rhine": "The Rhine rises in the Swiss Alps.",
    "emoji": "A smile 😀 is a character beyond the basic plane, like 𝔘.",
    "cheese": "Cheese is made of milk.",
}


def write_corpus(path: Path, passages: dict[str, str]) -> Path:
    text = "".join(json.dumps({"id": docid, "contents": body}) + "\n" for docid, body in passages.items())
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return write_corpus(tmp_path / "corpus.jsonl", PASSAGES)


@pytest.fixture
def topics(tmp_path: Path) -> Path:
    path = tmp_path / "topics.en.tsv"
    path.write_text("q1\tWhere does the Danube rise?\nq2\tquokka\nq3\tcheeses\n")
    return path


def rankings(run: Path) -> dict[str, list[str]]:
    found = defaultdict(list)
    for line in run.read_text().splitlines():
        qid, _, docid, rank, _, tag = line.split(" ")
        found[qid].append(docid)
        assert (int(rank), tag) == (len(found[qid]), "bm25")
    return dict(found)


def test_a_run_is_trec_with_stemmed_matches_and_nothing_for_a_query_without(
    tmp_path: Path, corpus: Path, topics: Path
) -> None:
    (run,) = write_bm25_runs(corpus, [topics], tmp_path / "runs")
    assert run == tmp_path / "runs" / "run.bm25.en.txt"
    assert rankings(run) == {"q1": ["danube", "rhine"], "q3": ["cheese"]}
    assert re.fullmatch(r"q1 Q0 danube 1 \d+\.\d{6} bm25", run.read_text().splitlines()[0])
    assert [path.name for path in run.parent.iterdir()] == [run.name]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ('danube AND NOT (rhine OR "x*', {"danube", "rhine"}),
        ("danube [a TO b] ~2 ^3 \\", {"danube"}),
        ("contents: -danube +/!?", {"danube"}),
        ("*:*danube", {"danube"}),
        ("😀 danube", {"danube", "emoji"}),
        ("*:*", set()),
    ],
)
def test_nothing_in_a_query_is_syntax(tmp_path: Path, corpus: Path, query: str, found: set[str]) -> None:
    topics = tmp_path / "topics.de.tsv"
    topics.write_text(f"q\t{query}\n")
    (run,) = write_bm25_runs(corpus, [topics], tmp_path)
    assert set(rankings(run).get("q", [])) == found


def test_a_folder_of_packed_files_is_searched_in_all_languages(tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    folder.mkdir()
    items = list(PASSAGES.items())
    write_corpus(folder / "b.jsonl", dict(items[:2]))
    write_corpus(folder / "a.jsonl.gz", dict(items[2:]))
    files = [tmp_path / f"topics.{language}.tsv" for language in ("es", "en")]
    for file, query in zip(files, ("milk", "alps"), strict=True):
        file.write_text(f"{file.stem}\t{query}\n")
    runs = write_bm25_runs(folder, files, tmp_path, Options(threads=1))
    assert [run.name for run in runs] == ["run.bm25.es.txt", "run.bm25.en.txt"]
    assert [rankings(run) for run in runs] == [{"topics.es": ["cheese"]}, {"topics.en": ["rhine"]}]


def test_hits_are_as_many_as_asked_for(tmp_path: Path, corpus: Path, topics: Path) -> None:
    (run,) = write_bm25_runs(corpus, [topics], tmp_path, Options(hits=1))
    assert rankings(run)["q1"] == ["danube"]


def test_many_batches_give_what_one_gives(
    tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    topics = tmp_path / "topics.en.tsv"
    topics.write_text("".join(f"q{i}\t{word}\n" for i, word in enumerate(["danube", "milk", "alps"] * 3)))
    counts: list[int] = []
    (whole,) = write_bm25_runs(corpus, [topics], tmp_path / "one")
    monkeypatch.setattr(lucene, "BATCH", 2)
    (parts,) = write_bm25_runs(corpus, [topics], tmp_path / "two", reporter=Reporter(advance=counts.append))
    assert parts.read_text() == whole.read_text()
    assert counts == [2, 2]


def test_a_german_corpus_is_stemmed_as_german(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus.jsonl", {"haus": "Die Häuser am Fluss.", "kuh": "Eine Kuh."})
    topics = tmp_path / "topics.de.tsv"
    topics.write_text("q\tein Haus\n")
    (run,) = write_bm25_runs(corpus, [topics], tmp_path, Options(language="de"))
    assert rankings(run) == {"q": ["haus"]}


def test_a_kept_index_is_used_again_until_the_corpus_changes(
    tmp_path: Path, corpus: Path, topics: Path
) -> None:
    index, said = tmp_path / "lucene", list[str]()
    write_bm25_runs(corpus, [topics], tmp_path / "a", Options(index=index))
    before = (index / KEPT).stat().st_mtime_ns
    write_bm25_runs(corpus, [topics], tmp_path / "b", Options(index=index), Reporter(said.append))
    assert said[0] == f"Using the index in {index}"
    assert (index / KEPT).stat().st_mtime_ns == before

    write_corpus(corpus, {"other": "The Danube delta."})
    with pytest.raises(
        QgdrError, match="built from another corpus or language, or not for --rm3; pass --overwrite"
    ):
        write_bm25_runs(corpus, [topics], tmp_path / "c", Options(index=index))
    (run,) = write_bm25_runs(corpus, [topics], tmp_path / "c", Options(index=index, overwrite=True))
    assert rankings(run) == {"q1": ["other"]}


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_that_is_no_index_of_ours_is_never_replaced(
    tmp_path: Path, corpus: Path, topics: Path, overwrite: bool
) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("all of it")
    with pytest.raises(QgdrError, match="choose another name"):
        write_bm25_runs(corpus, [topics], tmp_path, Options(index=precious, overwrite=overwrite))
    assert (precious / "thesis.txt").read_text() == "all of it"


def test_an_existing_run_stays_unless_overwritten(tmp_path: Path, corpus: Path, topics: Path) -> None:
    run = tmp_path / "run.bm25.en.txt"
    run.write_text("mine\n")
    with pytest.raises(QgdrError, match=r"run\.bm25\.en\.txt: already exists; pass --overwrite"):
        write_bm25_runs(corpus, [topics], tmp_path)
    assert run.read_text() == "mine\n"
    write_bm25_runs(corpus, [topics], tmp_path, Options(overwrite=True))
    assert "danube" in run.read_text()


def test_a_wrong_corpus_leaves_no_run_and_no_index(tmp_path: Path, corpus: Path, topics: Path) -> None:
    with corpus.open("a") as file:
        file.write('{"id": "danube", "contents": "again"}\n')
    with pytest.raises(InputError, match=r"corpus\.jsonl:5: duplicate id 'danube'"):
        write_bm25_runs(corpus, [topics], tmp_path / "runs", Options(index=tmp_path / "lucene"))
    assert not (tmp_path / "runs").exists(), "found while looking for the passages' language"
    options = Options(index=tmp_path / "lucene", language="en")
    with pytest.raises(InputError, match=r"corpus\.jsonl:5: duplicate id 'danube'"):
        write_bm25_runs(corpus, [topics], tmp_path / "runs", options)
    assert list((tmp_path / "runs").iterdir()) == []
    assert not (tmp_path / "lucene").exists()


def test_wrong_topics_and_languages_are_named_before_anything_is_indexed(
    tmp_path: Path, corpus: Path, topics: Path
) -> None:
    nameless = tmp_path / "questions.tsv"
    nameless.write_text("q1\tdanube\n")
    with pytest.raises(InputError, match=r"questions\.tsv: the name does not tell the language"):
        write_bm25_runs(corpus, [nameless], tmp_path / "runs")
    with pytest.raises(InputError, match="a second file for 'en'"):
        write_bm25_runs(corpus, [topics, topics], tmp_path / "runs")
    with pytest.raises(QgdrError, match="no analyzer for language 'xx'; Anserini has ar, "):
        write_bm25_runs(corpus, [topics], tmp_path / "runs", Options(language="xx"))
    assert not (tmp_path / "runs").exists()


def test_the_command_ends_with_2_and_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "topics.en.tsv").write_text("q1 without a tab\n")
    group = OneLineErrorGroup("qgdr", commands=[bm25])
    arguments = [
        "--corpus",
        "c.jsonl",
        "--topics",
        str(tmp_path / "topics.en.tsv"),
        "--output",
        str(tmp_path),
    ]
    with pytest.raises(SystemExit) as stop:
        group.main(["bm25", *arguments], prog_name="qgdr")
    assert stop.value.code == 2
    assert capsys.readouterr().err == f"Error: {tmp_path}/topics.en.tsv:1: no tab; needs qid<TAB>question\n"


def test_xquad_scores_what_bm25_is_known_to_score(tmp_path: Path, shared_data: Path) -> None:
    build_xquad(BuildRequest(source=shared_data, output=tmp_path))
    expected = {"de": 0.435, "zh": 0.124, "ar": 0.071}
    files = [tmp_path / f"topics.{language}.tsv" for language in expected]
    runs = write_bm25_runs(tmp_path / "corpus.jsonl", files, tmp_path / "runs")
    relevant = dict(line.split()[::2] for line in (tmp_path / "qrels.txt").read_text().splitlines())
    for language, file, run in zip(expected, files, runs, strict=True):
        found = rankings(run)
        qids = list(read_topics(file))
        recall = sum(relevant[qid] in found.get(qid, [])[:10] for qid in qids) / len(qids)
        assert recall == pytest.approx(expected[language], abs=0.002), language
