"""XQuAD: built from the original files and from the hub's form, refused where the sources do not fit."""

import hashlib
import json

import datasets
import pytest
from click.testing import CliRunner

from qgdr_pyserini.cli.main import main
from qgdr_pyserini.collection.answers import read_answers
from qgdr_pyserini.collection.collection import Collection
from qgdr_pyserini.collection.corpus import Passage, read_corpus
from qgdr_pyserini.collection.loaders.base import BuildRequest
from qgdr_pyserini.collection.loaders.xquad import HUB_LANGUAGES, build_xquad
from qgdr_pyserini.collection.topics import read_topics
from qgdr_pyserini.errors import InputError, QgdrError

DANUBE = "The Danube  rises in the Black\nForest. "
SQUAD = [
    ("Rhine", [("The Rhine ends in the North Sea.", [("b1", "Where does it end?", ["North Sea"])])]),
    (
        "Danube_(river)",
        [
            ("The Danube passes Vienna.", [("a2", "Which capital?", ["Vienna"])]),
            (DANUBE, [("a3", "Which forest?", ["Black Forest"]), ("a1", "Which river?", ["The Danube"])]),
        ],
    ),
]
ENGLISH = [
    ("Danube_(river)", [("The Danube rises in the Black Forest.", [("a1", "Which river?", ["The  Danube"])])])
]
GERMAN = [
    ("Danube_(river)", [("Die Donau entspringt im Schwarzwald.", [("a1", "Welcher\tFluss?", ["Die Donau"])])])
]


def squad_json(articles):
    def question(item):
        qid, text, answers = item
        return {"id": qid, "question": text, "answers": [{"text": a, "answer_start": 0} for a in answers]}

    def paragraph(item):
        context, questions = item
        return {"context": context, "qas": [question(entry) for entry in questions]}

    data = [{"title": title, "paragraphs": [paragraph(item) for item in items]} for title, items in articles]
    return {"version": "1.1", "data": data}


def hub_rows(articles, *, title):
    rows = []
    for name, paragraphs in articles:
        for context, questions in paragraphs:
            for qid, question, answers in questions:
                row = {"id": qid, "context": context, "question": question}
                row["answers"] = {"text": answers, "answer_start": [0] * len(answers)}
                rows.append({"title": name, **row} if title else row)
    return rows


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


@pytest.fixture
def source(tmp_path):
    directory = tmp_path / "data"
    write_json(directory / "squad" / "dev-v1.1.json", squad_json(SQUAD))
    write_json(directory / "xquad" / "xquad.en.json", squad_json(ENGLISH))
    write_json(directory / "xquad" / "xquad.de.json", squad_json(GERMAN))
    write_json(directory / "xquad" / "notes.json", {})
    return directory


def contents(directory):
    return {file.name: file.read_bytes() for file in directory.iterdir()}


def test_every_part_of_the_collection(source, tmp_path):
    built = build_xquad(BuildRequest(source=source, output=tmp_path / "out"))
    assert list(read_corpus(built.corpus)) == [
        Passage("Danube_(river)-001", "Danube (river)", "The Danube rises in the Black Forest."),
        Passage("Danube_(river)-002", "Danube (river)", "The Danube passes Vienna."),
        Passage("Rhine-001", "Rhine", "The Rhine ends in the North Sea."),
    ]
    assert built.languages == ("de", "en")
    assert read_topics(built.topics["de"]) == {"xquad-de-a1": "Welcher Fluss?"}
    assert read_topics(built.topics["en"]) == {"xquad-en-a1": "Which river?"}
    assert built.qrels.read_text().splitlines() == [
        "xquad-de-a1 0 Danube_(river)-001 1",
        "xquad-en-a1 0 Danube_(river)-001 1",
    ]
    answers = read_answers(built.answers)
    assert {(item.qid, item.lang, item.answers) for item in answers.values()} == {
        ("xquad-de-a1", "de", ("The Danube",)),
        ("xquad-en-a1", "en", ("The Danube",)),
    }


def test_passages_in_one_language_or_several(source, tmp_path):
    german = build_xquad(BuildRequest(source=source, output=tmp_path / "de", passages="de"))
    assert list(read_corpus(german.corpus)) == [
        Passage("de-Danube_(river)-001", "", "Die Donau entspringt im Schwarzwald.", "de")
    ]
    assert german.languages == ("de", "en")
    pool = build_xquad(BuildRequest(source=source, output=tmp_path / "pool", passages="all"))
    assert [(passage.docid, passage.language) for passage in read_corpus(pool.corpus)] == [
        ("de-Danube_(river)-001", "de"),
        ("en-Danube_(river)-001", "en"),
    ]
    assert pool.qrels.read_text().splitlines() == [
        f"xquad-{asked}-a1 0 {found}-Danube_(river)-001 1" for asked in ("de", "en") for found in ("de", "en")
    ]
    assert read_answers(pool.answers)["xquad-de-a1"].answers == ("Die Donau", "The Danube")
    assert pool.manifest["passage_languages"] == {"de": 1, "en": 1}
    assert pool.topics["de"].read_bytes() == german.topics["de"].read_bytes()


def test_passages_in_a_language_that_is_not_there(source, tmp_path):
    words = ["build", "xquad", "--source", str(source), "--output", str(tmp_path / "out")]
    result = CliRunner().invoke(main, ["collection", *words, "--passages", "de,fr"])
    assert result.exit_code == 2
    assert result.stderr == "Error: --passages: none in 'fr'; there are de, en, and all\n"
    assert not (tmp_path / "out").exists()


def test_the_manifest_tells_source_licence_counts_and_checksums(source, tmp_path):
    built = build_xquad(BuildRequest(source=source, output=tmp_path / "out"))
    assert built.name == "xquad"
    assert built.manifest["licence"] == "CC BY-SA 4.0"
    assert built.manifest["counts"] == {
        "passages": 3,
        "questions": {"de": 1, "en": 1},
        "qrels": 2,
        "answers": 2,
    }
    files = {name: data for name, data in contents(tmp_path / "out").items() if name != "collection.json"}
    assert built.manifest["checksums"] == {
        name: f"sha256:{hashlib.sha256(data).hexdigest()}" for name, data in files.items()
    }


def test_the_same_bytes_every_time_and_wherever_the_source_lies(source, tmp_path):
    build_xquad(BuildRequest(source=source, output=tmp_path / "one"))
    moved = source.rename(tmp_path / "elsewhere")
    build_xquad(BuildRequest(source=moved, output=tmp_path / "two"))
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_the_order_of_the_source_does_not_change_the_corpus(source, tmp_path):
    one = build_xquad(BuildRequest(source=source, output=tmp_path / "one"))
    reordered = [(title, paragraphs[::-1]) for title, paragraphs in SQUAD[::-1]]
    write_json(source / "squad" / "dev-v1.1.json", squad_json(reordered))
    two = build_xquad(BuildRequest(source=source, output=tmp_path / "two"))
    assert one.corpus.read_bytes() == two.corpus.read_bytes()


def test_an_existing_collection_is_replaced_only_on_demand(source, tmp_path):
    build_xquad(BuildRequest(source=source, output=tmp_path / "out"))
    before = contents(tmp_path / "out")
    (source / "xquad" / "xquad.de.json").unlink()
    with pytest.raises(QgdrError, match="--overwrite"):
        build_xquad(BuildRequest(source=source, output=tmp_path / "out"))
    assert contents(tmp_path / "out") == before
    assert build_xquad(BuildRequest(source=source, output=tmp_path / "out", overwrite=True)).languages == (
        "en",
    )


def test_overwrite_spares_what_is_no_collection(source, tmp_path):
    with pytest.raises(QgdrError, match="not a collection"):
        build_xquad(BuildRequest(source=source, output=source, overwrite=True))
    assert (source / "squad" / "dev-v1.1.json").is_file()


@pytest.mark.parametrize("name", ["squad/dev-v1.1.json", "xquad/xquad.en.json"])
def test_a_missing_file_is_named(name, source, tmp_path):
    (source / name).unlink()
    with pytest.raises(InputError, match="no such file; fetch it from https://") as caught:
        build_xquad(BuildRequest(source=source, output=tmp_path / "out"))
    assert str(caught.value).startswith(str(source / name))


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("xquad/xquad.de.json", '{\n"data": [', r"xquad\.de\.json:2: malformed JSON"),
        ("xquad/xquad.de.json", "[]", "not in SQuAD's format"),
        ("xquad/xquad.de.json", '{"data": [{"paragraphs": [{"context": "x"}]}]}', "SQuAD's format.*'qas'"),
        ("xquad/xquad.de.json", '{"data": []}', "holds no questions"),
        ("squad/dev-v1.1.json", json.dumps(squad_json(SQUAD + SQUAD)), "twice"),
        (
            "squad/dev-v1.1.json",
            json.dumps(squad_json(SQUAD[:1])),
            "paragraph of question 'a1' .* is not in SQuAD",
        ),
        (
            "xquad/xquad.de.json",
            json.dumps(squad_json(SQUAD[:1])),
            r"xquad\.de: question 'b1' is not in xquad\.en",
        ),
    ],
)
def test_a_malformed_source_leaves_nothing(name, content, problem, source, tmp_path):
    (source / name).write_text(content, encoding="utf-8")
    with pytest.raises(QgdrError, match=problem):
        build_xquad(BuildRequest(source=source, output=tmp_path / "out"))
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Data sets in folders that `datasets` takes for the hub's, because their names are paths here."""
    parts = [("google/xquad", f"xquad.{lang}", GERMAN if lang == "de" else ENGLISH) for lang in HUB_LANGUAGES]
    for name, config, articles in [*parts, ("rajpurkar/squad", "default", SQUAD)]:
        folder = tmp_path / name
        rows = datasets.Dataset.from_list(hub_rows(articles, title=name == "rajpurkar/squad"))
        rows.to_parquet(folder / config / "validation.parquet")
    for name, configs in [("google/xquad", [part[1] for part in parts]), ("rajpurkar/squad", ["default"])]:
        entries = [
            f"- config_name: {config}\n  data_files:\n  - split: validation\n    path: {config}/*.parquet\n"
            for config in configs
        ]
        (tmp_path / name / "README.md").write_text(f"---\nconfigs:\n{''.join(entries)}---\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def test_hub_and_files_give_the_same_collection(hub, source, tmp_path):
    from_hub = build_xquad(BuildRequest(source="hub", output=tmp_path / "hub"))
    from_files = build_xquad(BuildRequest(source=source, output=tmp_path / "files"))
    assert from_hub.languages == HUB_LANGUAGES
    assert from_hub.corpus.read_bytes() == from_files.corpus.read_bytes()
    pools = [
        build_xquad(BuildRequest(source=place, output=tmp_path / f"pool{number}", passages="de,en"))
        for number, place in enumerate(("hub", source))
    ]
    assert pools[0].corpus.read_bytes() == pools[1].corpus.read_bytes()
    for language in from_files.languages:
        assert from_hub.topics[language].read_bytes() == from_files.topics[language].read_bytes()
    assert set(from_files.qrels.read_text().splitlines()) <= set(from_hub.qrels.read_text().splitlines())


def test_a_hub_out_of_reach_is_one_line(tmp_path):
    def load(name, configuration):
        raise ConnectionError("no network\nwith details")

    with pytest.raises(
        QgdrError, match=r"google/xquad \(xquad\.ar\): cannot be loaded .*--source DIR"
    ) as caught:
        build_xquad(BuildRequest(source="hub", output=tmp_path / "out"), load=load)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_hub_set_in_another_form_is_named(tmp_path):
    with pytest.raises(QgdrError, match=r"google/xquad \(xquad\.ar\): not in SQuAD's form .*'id'"):
        build_xquad(
            BuildRequest(source="hub", output=tmp_path / "out"),
            load=lambda name, configuration: [{"question": "?"}],
        )


@pytest.mark.parametrize("part", ["collection.json", "corpus.jsonl", "qrels.txt", "answers.jsonl"])
def test_opening_a_collection_names_the_missing_part(part, source, tmp_path):
    build_xquad(BuildRequest(source=source, output=tmp_path / "out"))
    (tmp_path / "out" / part).unlink()
    with pytest.raises(InputError, match=f"{part} is missing"):
        Collection.open(tmp_path / "out")


def test_opening_what_is_no_collection(source, tmp_path):
    with pytest.raises(InputError, match="no such collection"):
        Collection.open(tmp_path / "absent")
    build_xquad(BuildRequest(source=source, output=tmp_path / "out"))
    for file in (tmp_path / "out").glob("topics.*"):
        file.unlink()
    with pytest.raises(InputError, match=r"no topics\.LANG\.tsv"):
        Collection.open(tmp_path / "out")
    (tmp_path / "out" / "topics.de.tsv").write_text("q\tx\n")
    (tmp_path / "out" / "collection.json").write_text("{}")
    with pytest.raises(InputError, match=r"collection\.json: gives the collection no name"):
        Collection.open(tmp_path / "out")


def test_the_real_sources(shared_data, tmp_path):
    built = build_xquad(BuildRequest(source=shared_data, output=tmp_path / "xquad"))
    passages = {passage.docid: passage for passage in read_corpus(built.corpus)}
    assert len(passages) == 2067
    assert built.languages == ("ar", "de", "en", "es", "ru", "zh")
    assert {lang: len(read_topics(path)) for lang, path in built.topics.items()} == dict.fromkeys(
        built.languages, 1190
    )
    judgements = [line.split() for line in built.qrels.read_text().splitlines()]
    assert len(judgements) == 7140
    assert len({docid for _, _, docid, _ in judgements}) == 240
    answers = read_answers(built.answers)
    assert all(answers[qid].answers[0] in passages[docid].text for qid, _, docid, _ in judgements)
