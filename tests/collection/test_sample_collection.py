"""The sample collection in the package is what it says: complete, parallel and consistent."""

import hashlib
import json
from pathlib import Path

import pytest

import qgdr_pyserini

SAMPLE = Path(qgdr_pyserini.__file__).parent / "collection" / "sample"
LANGUAGES = ["ar", "de", "en", "es", "fi", "fr", "it", "ja", "ko", "ru", "sv", "zh"]
QUESTIONS = 30


def lines(name):
    return (SAMPLE / name).read_text(encoding="utf-8").removesuffix("\n").split("\n")


def jsonl(name):
    return [json.loads(line) for line in lines(name)]


def topics(language):
    return [line.split("\t") for line in lines(f"topics.{language}.tsv")]


@pytest.fixture(scope="module")
def corpus():
    return {passage["id"]: passage for passage in jsonl("corpus.jsonl")}


@pytest.fixture(scope="module")
def card():
    return json.loads((SAMPLE / "collection.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def relevant():
    found = {}
    for line in lines("qrels.txt"):
        qid, iteration, docid, grade = line.split(" ")
        assert (iteration, grade) == ("0", "1")
        found.setdefault(qid, []).append(docid)
    return found


def test_passages_have_the_contract_fields_and_unique_ids(corpus):
    assert len(corpus) == len(lines("corpus.jsonl")) >= 160
    for passage in corpus.values():
        assert list(passage) == ["id", "title", "text", "contents"]
        assert passage["contents"] == f"{passage['title']}\n{passage['text']}"
        assert not set("\t\n\r") & set(passage["title"] + passage["text"])


def test_passages_are_50_to_120_words_and_all_different(corpus):
    assert all(50 <= len(passage["text"].split()) <= 120 for passage in corpus.values())
    assert len({passage["text"] for passage in corpus.values()}) == len(corpus)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_asks_the_same_questions(language, relevant):
    rows = topics(language)
    assert [row[0] for row in rows] == [f"sample-{language}-{n:02d}" for n in range(1, QUESTIONS + 1)]
    assert all(len(row) == 2 and row[1].strip() == row[1] != "" for row in rows)
    assert len({row[1] for row in rows}) == QUESTIONS
    for qid, _ in rows:
        assert relevant[qid] == relevant[qid.replace(f"-{language}-", "-en-")]


def test_question_ids_are_unique_and_never_all_digits():
    qids = [qid for language in LANGUAGES for qid, _ in topics(language)]
    assert len(set(qids)) == len(qids) == len(LANGUAGES) * QUESTIONS
    assert not any(qid.isdigit() for qid in qids)


def test_judgements_name_existing_passages_for_every_question(corpus, relevant):
    assert set(relevant) == {qid for language in LANGUAGES for qid, _ in topics(language)}
    for docids in relevant.values():
        assert 1 <= len(set(docids)) == len(docids) <= 2
        assert set(docids) <= set(corpus)


def test_answers_stand_in_the_relevant_passages(corpus, relevant):
    rows = jsonl("answers.jsonl")
    assert [row["id"] for row in rows] == [qid for language in LANGUAGES for qid, _ in topics(language)]
    for row in rows:
        assert list(row) == ["id", "lang", "answers"]
        assert row["id"].split("-")[1] == row["lang"]
        texts = [corpus[docid]["text"] for docid in relevant[row["id"]]]
        assert all(any(answer in text for text in texts) for answer in row["answers"])
        assert all(any(answer in text for answer in row["answers"]) for text in texts)


def test_card_counts_what_is_there(card, corpus):
    assert (card["name"], card["licence"], card["languages"]) == ("sample", "Apache-2.0", LANGUAGES)
    assert card["counts"] == {
        "passages": len(corpus),
        "questions": dict.fromkeys(LANGUAGES, QUESTIONS),
        "qrels": len(lines("qrels.txt")),
        "answers": len(lines("answers.jsonl")),
    }


def test_card_holds_the_checksum_of_every_other_file(card):
    names = {path.name for path in SAMPLE.iterdir() if path.suffix in {".jsonl", ".tsv", ".txt"}}
    assert set(card["checksums"]) == names
    for name, checksum in card["checksums"].items():
        assert checksum == "sha256:" + hashlib.sha256((SAMPLE / name).read_bytes()).hexdigest()


def test_files_are_small_and_plain_utf8():
    files = [path for path in SAMPLE.iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 500_000
    for path in files:
        content = path.read_bytes()
        assert b"\r" not in content
        assert b"\\u" not in content
        assert content.endswith(b"\n")
