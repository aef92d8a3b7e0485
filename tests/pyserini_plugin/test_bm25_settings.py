"""`qgdr bm25` with other settings: dictionary, k1 and b, RM3, names of runs."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from qgdr_pyserini.cli.main import main
from qgdr_pyserini.collection.loaders.base import BuildRequest
from qgdr_pyserini.collection.loaders.xquad import build_xquad
from qgdr_pyserini.dictionary.translate import TranslatedWord
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.pyserini_plugin import lucene
from qgdr_pyserini.pyserini_plugin.bm25 import Options, Reporter, write_bm25_runs

PASSAGES = {
    "danube": "The Danube is a river that rises in the Black Forest of Germany.",
    "forest": "A forest is a large area of trees. The forest stream is small.",
    "stream": "A stream flows, and a stream may be small.",
    "sea": "The Black Sea lies between Europe and Asia.",
}
LEXICON = [
    ("de", "Fluss", "river"),
    ("de", "Fluss", "stream"),
    ("de", "Wald", "forest"),
    ("de", "Schwarzes Meer", "Black Sea"),
    ("de", "wo", "where"),
    ("de", "wo", "forest"),
    ("de", "der", "the"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lines = [json.dumps({"id": docid, "contents": text}) + "\n" for docid, text in PASSAGES.items()]
    (tmp_path / "corpus.jsonl").write_text("".join(lines))
    (tmp_path / "lexicon.tsv").write_text("".join("\t".join(row) + "\n" for row in LEXICON))
    (tmp_path / "topics.de.tsv").write_text("q1\tWo liegt das Schwarze Meer?\nq2\tWo der?\nq3\tDie Flüsse\n")
    (tmp_path / "topics.en.tsv").write_text("e1\twhere is the black sea\n")
    (tmp_path / "topics.fr.tsv").write_text("f1\tla forest\n")
    return tmp_path


def search(folder: Path, *languages: str, said: list[str] | None = None, **options) -> dict[str, list[str]]:
    topics = [folder / f"topics.{language}.tsv" for language in languages]
    reporter = Reporter((said if said is not None else list[str]()).append)
    runs = write_bm25_runs(
        folder / "corpus.jsonl", topics, folder / "runs", Options(overwrite=True, **options), reporter
    )
    hits: dict[str, list[str]] = {}
    for run in runs:
        for line in run.read_text().splitlines():
            hits.setdefault(line.split()[0], []).append(line.split()[2])
    return hits


def test_questions_are_translated_and_function_words_say_nothing(folder: Path) -> None:
    said: list[str] = []
    found = search(folder, "de", "en", "fr", said=said, lexicon=folder / "lexicon.tsv", threads=2)
    assert found["q1"][0] == "sea"
    assert "q2" not in found, "what means 'where' or 'the' is not searched, whatever else it means"
    assert set(found["q3"]) == {"danube", "stream", "forest"}
    assert found["e1"][0] == "sea", "questions in the passages' language stay as they are"
    assert found["f1"] == ["forest", "danube"]
    assert [line for line in said if "'fr'" in line] == [
        f"{folder}/lexicon.tsv: no entries for 'fr'; its questions stay as they are"
    ]


def test_translations_of_a_word_count_as_one_term(folder: Path) -> None:
    options = Options(index=folder / "lucene")
    write_bm25_runs(folder / "corpus.jsonl", [folder / "topics.en.tsv"], folder / "runs", options)

    def scores(*words: TranslatedWord) -> dict[str, float]:
        return dict(dict(lucene.search_translated(folder / "lucene", {"q": words}, lucene.Ranking()))["q"])

    one = scores(TranslatedWord("x", (("stream", 1.0),)))
    both = scores(TranslatedWord("x", (("stream", 1.0), ("forest", 1.0))))
    apart = scores(TranslatedWord("x", (("stream", 1.0),)), TranslatedWord("y", (("forest", 1.0),)))
    assert one.keys() == {"stream", "forest"}
    assert both["forest"] < apart["forest"]
    assert max(both, key=both.__getitem__) == "forest", "it holds both, three times"
    assert scores(TranslatedWord("y", (), 1.0)) == scores() == {}
    many = TranslatedWord("z", tuple((f"sea{number}", 1.0) for number in range(12)), 1.0)
    assert scores(*[TranslatedWord(f"z{n}", many.translations, 1.0) for n in range(200)]) == {}


def test_parameters_reach_lucene(folder: Path) -> None:
    (folder / "topics.en.tsv").write_text("q\tforest sea small\n")

    def run(**options) -> str:
        search(folder, "en", **options)
        return (folder / "runs" / "run.bm25.en.txt").read_text()

    assert len({run(), run(k1=2.0), run(b=1.0)}) == 3


def test_rm3_finds_what_shares_no_word_with_the_question_and_needs_an_index_with_vectors(
    folder: Path,
) -> None:
    (folder / "topics.en.tsv").write_text("q\tDanube\n")
    with (folder / "corpus.jsonl").open("a") as file:
        # RM3 passes over terms that are in a tenth of all passages.
        file.writelines(json.dumps({"id": f"cheese{n}", "contents": f"Cheese {n}"}) + "\n" for n in range(40))
    index = folder / "lucene"
    assert search(folder, "en", index=index) == {"q": ["danube"]}
    with pytest.raises(QgdrError, match="not for --rm3; pass --overwrite"):
        write_bm25_runs(
            folder / "corpus.jsonl",
            [folder / "topics.en.tsv"],
            folder / "new",
            Options(index=index, rm3=True),
        )
    assert set(search(folder, "en", index=index, rm3=True)["q"]) > {"danube"}
    said: list[str] = []
    assert search(folder, "en", index=index, said=said) == {"q": ["danube"]}
    assert said[0] == f"Using the index in {index}", "an index with vectors serves without RM3 too"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--rm3", "--lexicon", "l"], "choose one"),
        (["--names", "n"], "goes with --lexicon"),
        (["--tag", "a b"], "letters, digits"),
        (["--b", "1.5"], "0<=x<=1"),
        (["--lexicon", "absent.tsv"], "absent.tsv: no such file"),
    ],
)
def test_what_does_not_go_together_is_refused(folder: Path, arguments: list[str], problem: str) -> None:
    files = [
        "--corpus",
        folder / "corpus.jsonl",
        "--topics",
        folder / "topics.de.tsv",
        "--output",
        folder / "o",
    ]
    result = CliRunner().invoke(main, ["bm25", *map(str, files), *arguments])
    assert (result.exit_code, problem in result.output) == (2, True), result.output
    assert not (folder / "o").exists()


def test_a_tag_names_runs_and_lines(folder: Path) -> None:
    search(folder, "en", tag="bm25-k2", k1=2.0)
    assert (folder / "runs" / "run.bm25-k2.en.txt").read_text().split()[5] == "bm25-k2"


def test_xquad_questions_find_by_the_lexicon_what_the_report_says(tmp_path: Path, shared_data: Path) -> None:
    build_xquad(BuildRequest(source=shared_data, output=tmp_path))
    expected = {"ar": 0.666}
    train = shared_data / "train"
    options = Options(hits=10, lexicon=train / "lexicon.tsv.gz", names=train / "names.tsv.gz")
    files = [tmp_path / f"topics.{language}.tsv" for language in expected]
    runs = write_bm25_runs(tmp_path / "corpus.jsonl", files, tmp_path / "runs", options)
    relevant = dict(line.split()[::2] for line in (tmp_path / "qrels.txt").read_text().splitlines())
    for (language, recall), run in zip(expected.items(), runs, strict=True):
        hits = [line.split()[::2][:2] for line in run.read_text().splitlines()]
        found = sum(relevant[qid] == docid for qid, docid in hits) / 1190
        assert found == pytest.approx(recall, abs=0.003), language


def test_the_analyzer_is_that_of_the_passages(folder: Path) -> None:
    german = [
        {"id": "d1", "text": "Viele Häuser stehen am Ufer der Donau.", "language": "de"},
        {"id": "d2", "text": "Der Wald ist groß und dunkel.", "language": "de"},
    ]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in german))
    (folder / "topics.de.tsv").write_text("q1\tEin Haus\n")
    said: list[str] = []
    assert search(folder, "de", said=said, index=folder / "lucene") == {"q1": ["d1"]}
    assert said[0] == "Passages are in 'de'; --language changes that"
    assert json.loads((folder / "lucene" / "qgdr-bm25.json").read_text())["language"] == "de"
    again: list[str] = []
    assert search(folder, "de", said=again, index=folder / "lucene") == {"q1": ["d1"]}
    assert again[0] == f"Using the index in {folder}/lucene", "it says its language itself"
    assert search(folder, "de", language="en") == {}


def test_passages_in_several_languages_are_analyzed_as_most_of_them(folder: Path) -> None:
    rows = [
        {"id": f"d{n}", "text": "Donau", "language": language}
        for n, language in enumerate(("de", "xx", "de"))
    ]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    said: list[str] = []
    search(folder, "de", said=said)
    assert said[0] == "Passages are in de, xx; all are analyzed as 'de', --language changes that"
