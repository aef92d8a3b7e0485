"""Public sets as collections, from files in the layouts of the originals and of the hub."""

import gzip
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from qgdr_pyserini.cli.main import main
from qgdr_pyserini.collection.answers import read_answers
from qgdr_pyserini.collection.collection import Collection
from qgdr_pyserini.collection.corpus import read_corpus
from qgdr_pyserini.collection.hub import fetch_files
from qgdr_pyserini.collection.loaders.base import BuildRequest, build_collection
from qgdr_pyserini.collection.loaders.folders import build_beir, build_tevatron
from qgdr_pyserini.collection.loaders.mkqa import build_mkqa
from qgdr_pyserini.collection.loaders.monolingual import build_miracl, build_mr_tydi
from qgdr_pyserini.collection.loaders.xor_tydi import build_xor_tydi
from qgdr_pyserini.collection.topics import read_topics
from qgdr_pyserini.collection.trec import read_qrels
from qgdr_pyserini.errors import InputError, QgdrError

PASSAGES = [
    {"docid": "1#0", "title": "Oulu", "text": "A city."},
    {"docid": "2#0", "title": "", "text": "Text."},
]


def write(path: Path, rows: list[dict] | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = rows if isinstance(rows, str) else "".join(json.dumps(row) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def no_hub(name, patterns):
    raise AssertionError("the hub was asked")


class Hub:
    """Folders that stand for data sets on the hub, with what was asked of them."""

    def __init__(self, root: Path) -> None:
        self.root, self.asked = root, {}

    def __call__(self, name: str, patterns) -> Path:
        folder = self.root / name
        self.asked[name] = [
            file.name for pattern in patterns for file in folder.rglob("*") if file.match(pattern)
        ]
        return folder


def questions(built: Collection) -> dict[str, dict[str, str]]:
    return {language: read_topics(file) for language, file in built.topics.items()}


def test_xor_tydi_from_the_original_file_has_no_passages_and_says_so(
    tmp_path: Path, shared_data: Path
) -> None:
    arguments = ["xor-tydi", "--source", str(shared_data / "xor-tydi"), "--output", str(tmp_path / "xor")]
    result = CliRunner().invoke(main, ["collection", "build", *arguments])
    assert result.exit_code == 0, result.output
    assert "no passages: search another corpus, or build it again with --corpus PATH" in result.stdout
    built = Collection.open(tmp_path / "xor")
    counts = {language: len(topics) for language, topics in questions(built).items()}
    assert counts == {"ar": 350, "bn": 312, "fi": 360, "ja": 296, "ko": 299, "ru": 255, "te": 238}
    assert read_answers(built.answers)["xor-tydi-te--1018987027025691298"].answers == ("Portland",)
    with pytest.raises(InputError, match="a collection without passages; build it again with --corpus PATH"):
        list(read_corpus(tmp_path / "xor"))


def test_xor_tydi_tells_the_language_of_every_question_by_its_script(
    tmp_path: Path, shared_data: Path
) -> None:
    rows = [json.loads(line) for file in (shared_data / "xor-tydi").glob("*.jsonl") for line in file.open()]
    hub = Hub(tmp_path)
    without = [
        {"query_id": row["id"], "query": row["question"], "answers": row["answers"], "positive_passages": []}
        for row in rows
    ]
    write(tmp_path / "Tevatron/xor-tydi/eng_span/dev.jsonl.gz", without)
    built = build_xor_tydi(BuildRequest(source="hub", output=tmp_path / "out"), hub)
    found = {qid: language for language, topics in questions(built).items() for qid in topics}
    assert found == {f"xor-tydi-{row['lang']}-{row['id']}": row["lang"] for row in rows}


def test_xor_tydi_of_the_hub_with_passages_and_judgements(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    row = {
        "query_id": "7",
        "query": "Mikä  kaupunki?",
        "answers": ["Oulu", "Oulu"],
        "positive_passages": PASSAGES[:1],
    }
    write(tmp_path / "Tevatron/xor-tydi/eng_span/dev.jsonl.gz", [row])
    write(tmp_path / "Tevatron/xor-tydi/eng_span/train.jsonl.gz", [{"query_id": "8"}])
    write(tmp_path / "Tevatron/xor-tydi-corpus/eng_span/corpus.jsonl.gz", PASSAGES)
    write(tmp_path / "Tevatron/xor-tydi-corpus/full/corpus.jsonl.gz", [{"docid": "x", "text": "other"}])
    built = build_xor_tydi(BuildRequest(source="hub", corpus="hub", output=tmp_path / "out"), hub)
    assert questions(built) == {"fi": {"xor-tydi-fi-7": "Mikä kaupunki?"}}
    assert read_qrels(built.qrels) == {"xor-tydi-fi-7": {"1#0": 1}}
    assert [passage.docid for passage in read_corpus(built.corpus)] == ["1#0", "2#0"]


def test_mkqa_keeps_questions_whose_english_answers_a_passage_can_hold(
    tmp_path: Path, shared_data: Path
) -> None:
    corpus = write(tmp_path / "corpus.jsonl", PASSAGES)
    request = BuildRequest(
        source=shared_data / "mkqa", corpus=corpus, languages=("de", "zh"), output=tmp_path / "out"
    )
    built = build_mkqa(request, no_hub)
    assert built.languages == ("de", "zh-cn", "zh-hk", "zh-tw")
    assert {len(topics) for topics in questions(built).values()} == {3}, (
        "of six, one is long, two unanswerable"
    )
    answers = read_answers(built.answers)["mkqa-zh_cn--7449157003522518870"]
    assert answers.lang == "zh-cn"
    assert {"Hafþór Júlíus Björnsson", "Hafthor Julius Bjornsson"} <= set(answers.answers)
    assert built.manifest["counts"]["passages"] == 2


def test_mkqa_of_the_hub_in_parquet_is_the_original(tmp_path: Path, shared_data: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    kinds = [
        "entity",
        "long_answer",
        "unanswerable",
        "date",
        "number",
        "number_with_unit",
        "short_phrase",
        "binary",
    ]
    original = (shared_data / "mkqa" / "test_mkqa.jsonl.gz").read_bytes()
    rows = [json.loads(line) for line in gzip.decompress(original).splitlines()]
    for row in rows:
        row["example_id"] = str(row["example_id"])
        row["answers"] = {
            "en": [
                {
                    "type": kinds.index(item["type"]),
                    "text": item["text"] or "",
                    "aliases": item.get("aliases", []),
                }
                for item in row["answers"]["en"]
            ]
        }
    folder = tmp_path / "apple/mkqa/mkqa/train"
    folder.mkdir(parents=True)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), folder / "0000.parquet")
    hub = build_mkqa(BuildRequest(source="hub", output=tmp_path / "hub"), Hub(tmp_path))
    files = build_mkqa(BuildRequest(source=shared_data / "mkqa", output=tmp_path / "files"), no_hub)
    assert hub.manifest == files.manifest


def test_mr_tydi_of_the_hub_and_of_the_archive_are_the_same(tmp_path: Path) -> None:
    rows = [
        {"query_id": "0", "query": "Mikä?", "positive_passages": [{"docid": "1#0", "title": "", "text": ""}]}
    ]
    for repository, name, content in (
        ("mr-tydi", "test.jsonl.gz", rows),
        ("mr-tydi-corpus", "corpus.jsonl.gz", PASSAGES),
    ):
        write(tmp_path / f"castorini/{repository}/mrtydi-v1.1-finnish/{name}", content)
    write(tmp_path / "archive/mrtydi-v1.1-finnish/test.jsonl.gz", rows)
    archived = [{"id": row["docid"], "contents": f"{row['title']}\n{row['text']}"} for row in PASSAGES]
    write(tmp_path / "archive/mrtydi-v1.1-finnish/collection/docs.jsonl", archived)
    finnish = {"languages": ("fi",)}
    hub = build_mr_tydi(BuildRequest(source="hub", output=tmp_path / "a", **finnish), Hub(tmp_path))
    files = build_mr_tydi(BuildRequest(source=tmp_path / "archive", output=tmp_path / "b", **finnish), no_hub)
    assert hub.manifest == files.manifest
    assert hub.name == "mr-tydi-fi"
    assert read_qrels(hub.qrels) == {"mr-tydi-fi-0": {"1#0": 1}}


def test_miracl_joins_topics_and_judgements(tmp_path: Path) -> None:
    for split, qid in (("dev", "5"), ("train", "6")):
        name = f"miracl-v1.0-sw-{split}.tsv"
        write(tmp_path / f"miracl/miracl/miracl-v1.0-sw/topics/topics.{name}", f"{qid}\tNani?\n")
        write(
            tmp_path / f"miracl/miracl/miracl-v1.0-sw/qrels/qrels.{name}",
            f"{qid}\tQ0\t1#0\t1\n{qid}\tQ0\t2#0\t0\n",
        )
    corpus = "miracl/miracl-corpus/miracl-corpus-v1.0-sw"
    for number, passage in enumerate(PASSAGES):
        write(tmp_path / f"{corpus}/docs-{number}.jsonl.gz", [passage])
    hub = Hub(tmp_path)
    built = build_miracl(BuildRequest(source="hub", languages=("sw",), output=tmp_path / "out"), hub)
    assert questions(built) == {"sw": {"miracl-sw-5": "Nani?"}}
    assert read_qrels(built.qrels) == {"miracl-sw-5": {"1#0": 1, "2#0": 0}}
    assert [passage.docid for passage in read_corpus(built.corpus)] == ["1#0", "2#0"]
    assert sorted(hub.asked["miracl/miracl"]) == [
        "qrels.miracl-v1.0-sw-dev.tsv",
        "topics.miracl-v1.0-sw-dev.tsv",
    ]


def test_beir_folders_and_hub_names(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    corpus = [{"_id": row["docid"], "title": row["title"], "text": row["text"]} for row in PASSAGES]
    queries = [{"_id": "q 1", "text": "Which city?"}, {"_id": "unjudged", "text": "?"}]
    qrels = "query-id\tcorpus-id\tscore\nq 1\t1#0\t2\n"
    write(tmp_path / "Cities/corpus.jsonl", corpus)
    write(tmp_path / "Cities/queries.jsonl", queries)
    write(tmp_path / "Cities/qrels/test.tsv", qrels)
    write(tmp_path / "BeIR/cities/corpus.jsonl.gz", corpus)
    write(tmp_path / "BeIR/cities/queries.jsonl.gz", queries)
    write(tmp_path / "BeIR/cities-qrels/test.tsv", qrels)
    files = build_beir(BuildRequest(source=tmp_path / "Cities", output=tmp_path / "a"), no_hub)
    fetched = build_beir(BuildRequest(source="hub:BeIR/cities", output=tmp_path / "b"), hub)
    assert files.manifest["checksums"] == fetched.manifest["checksums"]
    assert questions(files) == {"en": {"cities-en-q_1": "Which city?"}}
    assert read_qrels(files.qrels) == {"cities-en-q_1": {"1#0": 2}}
    with pytest.raises(QgdrError, match="many names on the hub; pass --source hub:NAME"):
        build_beir(BuildRequest(source="hub", output=tmp_path / "c"), no_hub)


@pytest.mark.parametrize("with_corpus", [True, False])
def test_tevatron_folders_with_and_without_a_corpus(tmp_path: Path, with_corpus: bool) -> None:
    rows = [
        {"query_id": "1", "query": "Mikä?", "lang": "fi", "answers": ["Oulu"],
         "positive_passages": PASSAGES[:1], "negative_passages": PASSAGES[1:]},
        {"query_id": "2", "query": "What?", "positive_passages": PASSAGES[:1], "negative_passages": []},
    ]  # fmt: skip
    write(tmp_path / "set/dev.jsonl", rows)
    if with_corpus:
        write(tmp_path / "set/corpus.jsonl.gz", [*PASSAGES, {"docid": "3", "text": "More."}])
    built = build_tevatron(BuildRequest(source=tmp_path / "set", output=tmp_path / "out"), no_hub)
    assert questions(built) == {"en": {"set-en-2": "What?"}, "fi": {"set-fi-1": "Mikä?"}}
    assert [passage.docid for passage in read_corpus(built.corpus)] == ["1#0", "2#0", "3"][: 2 + with_corpus]
    assert list(read_answers(built.answers)) == ["set-fi-1"]


@pytest.mark.parametrize(
    ("name", "options", "problem"),
    [
        ("xquad", {"languages": ("de",)}, "xquad takes no --language; leave it out"),
        ("sample", {"source": None, "corpus": "c"}, "sample takes no --corpus"),
        (
            "miracl",
            {"languages": ("de", "sw")},
            "one corpus a language; pass --language once, with one of ar,",
        ),
        ("mr-tydi", {"languages": ("de",)}, "pass --language once, with one of ar,"),
        ("mkqa", {"source": None}, "mkqa needs a source: give --source DIR with mkqa.jsonl.gz"),
        ("mkqa", {}, r"holds no \*mkqa.jsonl\* or \*.parquet; fetch it from https://github"),
        ("xor-tydi", {"source": "absent"}, "absent: no such directory; fetch it"),
        ("beir", {}, "holds no corpus.jsonl"),
        ("tevatron", {"split": "train"}, "holds no train.jsonl"),
        ("mcqa", {}, "unknown collection 'mcqa'; did you mean 'mkqa'"),
    ],
)
def test_what_is_missing_or_of_no_use_is_named(
    tmp_path: Path, name: str, options: dict, problem: str
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(QgdrError, match=problem):
        build_collection(
            name, BuildRequest(**{"source": tmp_path / "empty", "output": tmp_path / "o", **options})
        )
    assert [file.name for file in tmp_path.iterdir()] == ["empty"]


@pytest.mark.parametrize(
    ("name", "file", "content", "problem"),
    [
        ("xor-tydi", "xor_dev_retrieve_eng_span_v1_1.jsonl", '{"id": "1"}\n', ":1: needs 'id', 'question'"),
        ("mkqa", "mkqa.jsonl.gz", '{"queries": {}}\n', ":1: not in MKQA's format .KeyError: 'answers'"),
        ("beir", "queries.jsonl", '{"_id": 1}\n', ":1: needs '_id' and 'text'"),
        ("beir", "qrels/test.tsv", "q\td\n", ":1: needs 3 columns"),
        ("beir", "queries.jsonl", '{"_id": "other", "text": "x"}\n', "no question is left"),
    ],
)
def test_malformed_files_leave_nothing(
    tmp_path: Path, name: str, file: str, content: str, problem: str
) -> None:
    if name == "beir":
        write(tmp_path / "in/corpus.jsonl", PASSAGES)
        write(tmp_path / "in/queries.jsonl", [{"_id": "q", "text": "?"}])
        write(tmp_path / "in/qrels/test.tsv", "q\t1#0\t1\n")
    write(tmp_path / "in" / file, content)
    with pytest.raises(QgdrError, match=problem):
        build_collection(name, BuildRequest(source=tmp_path / "in", output=tmp_path / "out"))
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_a_hub_out_of_reach_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(QgdrError, match=r"miracl/none: cannot be fetched .*--source DIR") as caught:
        fetch_files("miracl/none", ["*"])
    assert "\n" not in str(caught.value)
