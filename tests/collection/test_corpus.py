"""Corpora: what is read, in which order, and what is refused where."""

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qgdr_pyserini.collection.corpus import Passage, read_corpus, write_corpus
from qgdr_pyserini.errors import InputError

TEXT = st.text(alphabet=st.characters(exclude_categories=("Cs",)))
IDS = st.text(alphabet=st.characters(exclude_categories=("Cs", "Z", "Cc")), min_size=1, max_size=12)
PASSAGES = st.lists(st.builds(Passage, IDS, TEXT, TEXT), unique_by=lambda item: item.docid, max_size=8)


def write(path, *lines):
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


@given(passages=PASSAGES, suffix=st.sampled_from(["jsonl", "jsonl.gz"]))
def test_what_is_written_is_read_again(passages, suffix, tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / f"corpus.{suffix}"
    assert write_corpus(path, passages) == len(passages)
    assert list(read_corpus(path)) == passages


@given(title=TEXT.filter(lambda title: "\n" not in title), text=TEXT)
def test_contents_alone_splits_at_the_first_newline(title, text, tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "corpus.jsonl"
    write(path, json.dumps({"id": "a", "contents": f"{title}\n{text}"}))
    assert list(read_corpus(path)) == [Passage("a", title, text)]


def test_every_written_line_has_pyserinis_contents(tmp_path):
    write_corpus(tmp_path / "c.jsonl", [Passage("a", "Donau", "Sie fließt."), Passage("b", "", "No title.")])
    rows = [json.loads(line) for line in (tmp_path / "c.jsonl").read_text(encoding="utf-8").splitlines()]
    assert rows[0] == {"id": "a", "title": "Donau", "text": "Sie fließt.", "contents": "Donau\nSie fließt."}
    assert rows[1]["contents"] == "No title."


@pytest.mark.parametrize(
    ("row", "passage"),
    [
        ({"id": "a", "contents": "one line"}, Passage("a", "", "one line")),
        ({"_id": "a", "title": "T", "text": "x\ny"}, Passage("a", "T", "x\ny")),
        ({"docid": "a", "text": "x"}, Passage("a", "", "x")),
        ({"id": 7, "text": "x"}, Passage("7", "", "x")),
        ({"id": "a", "text": "x", "language": "de"}, Passage("a", "", "x", "de")),
        ({"id": "a", "contents": "T\nx", "language": None}, Passage("a", "T", "x")),
        ({"id": "a", "title": None, "text": "x"}, Passage("a", "", "x")),
        ({"id": "a", "title": "T", "text": "x", "contents": "something else"}, Passage("a", "T", "x")),
        ({"id": "a", "title": "T", "contents": "T\nx"}, Passage("a", "T", "x")),
        ({"id": "a", "title": "T", "contents": "x\ny"}, Passage("a", "T", "x\ny")),
    ],
)
def test_fields(row, passage, tmp_path):
    assert list(read_corpus(write(tmp_path / "c.jsonl", json.dumps(row)))) == [passage]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"id": "b", "text": ', "malformed JSON"),
        ("not JSON", "malformed JSON"),
        ('["b", "text"]', "not a JSON object"),
        ('{"text": "x"}', "no id"),
        ('{"id": "", "text": "x"}', "empty id"),
        ('{"id": null, "text": "x"}', "no id"),
        ('{"id": true, "text": "x"}', "id must be a string"),
        ('{"id": 1.5, "text": "x"}', "id must be a string"),
        ('{"id": "b c", "text": "x"}', "whitespace"),
        ('{"id": " ", "text": "x"}', "whitespace"),
        ('{"id": "b"}', "neither 'contents' nor 'text'"),
        ('{"id": "b", "text": ["x"]}', "'text' must be a string, not list"),
        ('{"id": "b", "title": 3, "text": "x"}', "'title' must be a string, not int"),
        ('{"id": "b", "text": "\\ud83d"}', "surrogate"),
    ],
)
def test_a_bad_line_is_named(line, problem, tmp_path):
    path = write(tmp_path / "c.jsonl", '{"id": "a", "text": "x"}', "", line)
    with pytest.raises(InputError, match=problem) as caught:
        list(read_corpus(path))
    assert str(caught.value).startswith(f"{path}:3: ")
    assert "\n" not in str(caught.value)


def test_a_duplicate_names_both_places(tmp_path):
    first = write(tmp_path / "a.jsonl", '{"id": "a", "text": "x"}', '{"id": 7, "text": "x"}')
    second = write(tmp_path / "b.jsonl", '{"id": "b", "text": "x"}', '{"id": "7", "text": "y"}')
    with pytest.raises(InputError, match="duplicate id '7'") as caught:
        list(read_corpus(tmp_path))
    assert str(caught.value).startswith(f"{second}:2: ")
    assert f"first at {first}:2" in str(caught.value)


def test_a_directory_is_read_in_the_order_of_names(tmp_path):
    write(tmp_path / "part-2.jsonl", '{"id": "c", "text": "x"}')
    with gzip.open(tmp_path / "part-1.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write('{"id": "b", "text": "x"}\n')
    write(tmp_path / "part-0.json", '{"id": "a", "text": "x"}')
    write(tmp_path / "notes.txt", "not a corpus")
    write(tmp_path / ".part-3.jsonl", "half written")
    assert [passage.docid for passage in read_corpus(tmp_path)] == ["a", "b", "c"]


def test_a_built_collection_stands_for_its_corpus(tmp_path):
    write(tmp_path / "corpus.jsonl", '{"id": "a", "text": "x"}')
    write(tmp_path / "answers.jsonl", '{"id": "q", "lang": "en", "answers": []}')
    write(tmp_path / "collection.json", "{}")
    assert [passage.docid for passage in read_corpus(tmp_path)] == ["a"]


def test_nothing_to_read(tmp_path):
    with pytest.raises(InputError, match="empty directory"):
        list(read_corpus(tmp_path))
    with pytest.raises(InputError, match="no such file"):
        list(read_corpus(tmp_path / "absent.jsonl"))


def test_reading_is_lazy(tmp_path):
    passages = read_corpus(write(tmp_path / "c.jsonl", '{"id": "a", "text": "x"}', "broken"))
    assert next(passages).docid == "a"
    with pytest.raises(InputError, match=r"c\.jsonl:2: malformed"):
        next(passages)
