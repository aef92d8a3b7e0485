"""The store of passages: what went in comes out, by row and by id, and equal passages give equal bytes."""

import sqlite3
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.collection.passage_store import (
    PassageStore,
    PassageWriter,
    store_of_corpus,
    write_store,
)
from qgdr_pyserini.errors import InputError, QgdrError

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
PASSAGES = st.lists(st.builds(Passage, TEXTS, TEXTS, TEXTS), max_size=30, unique_by=lambda one: one.docid)
DANUBE = Passage("d1", "Danube", "It rises in the Black Forest.")
RHINE = Passage("d2", "", "It rises in the Alps.")


@pytest.fixture
def store(tmp_path):
    write_store(tmp_path / "passages.sqlite", [DANUBE, RHINE])
    return PassageStore(tmp_path / "passages.sqlite")


@settings(deadline=None)
@given(passages=PASSAGES)
def test_what_goes_in_comes_out(passages, tmp_path_factory):
    path = tmp_path_factory.mktemp("store") / "passages.sqlite"
    write_store(path, passages)
    store = PassageStore(path)
    assert list(store) == passages
    assert len(store) == len(passages)
    backwards = list(range(len(passages)))[::-1]
    assert store.at(backwards) == passages[::-1]
    assert store.find([item.docid for item in passages]) == {item.docid: item for item in passages}


def test_more_passages_than_are_asked_for_at_once(tmp_path):
    passages = [Passage(f"d{number}", "", f"text {number}") for number in range(1777)]
    write_store(tmp_path / "a", passages)
    store = PassageStore(tmp_path / "a")
    assert list(store) == passages
    assert store.at(range(1777)) == passages
    assert len(store.find([item.docid for item in passages])) == 1777


def test_equal_passages_give_equal_bytes_however_they_come(tmp_path):
    passages = [Passage(f"d{number}", "t", "text " * (number % 50)) for number in range(700)]
    write_store(tmp_path / "a", passages)
    with PassageWriter(tmp_path / "b") as writer:
        for start in range(0, 700, 33):
            writer.append(passages[start : start + 33])
    store_of_corpus(tmp_path / "c", [Passage("other", "", ""), *passages], (p.docid for p in passages), "c")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == (tmp_path / "c").read_bytes()


def test_a_corpus_in_another_order_keeps_the_rows_of_the_index(tmp_path):
    store_of_corpus(tmp_path / "a", [RHINE, DANUBE], ["d1", "d2"], "corpus.jsonl")
    assert PassageStore(tmp_path / "a").at([0, 1]) == [DANUBE, RHINE]


def test_a_corpus_that_lacks_a_passage_is_refused(tmp_path):
    with pytest.raises(QgdrError, match=r"corpus\.jsonl: has no passage 'd2', which the index has"):
        store_of_corpus(tmp_path / "a", [DANUBE], ["d1", "d2"], "corpus.jsonl")


def test_absent_rows_are_an_error_and_absent_ids_are_left_out(store):
    assert store.find(["d1", "d9"]) == {"d1": DANUBE}
    with pytest.raises(InputError, match=r"passages\.sqlite: has no row 2, which the index has"):
        store.at([0, 2])


def test_many_threads_ask_one_store(store):
    wrong = []

    def ask():
        wrong.extend(found for found in (store.at([1, 0]) for _ in range(200)) if found != [RHINE, DANUBE])

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_no_store_and_damaged_ones_are_one_line(tmp_path, store):
    with pytest.raises(InputError, match="absent: no such file"):
        PassageStore(tmp_path / "absent")
    (tmp_path / "text").write_text("not SQLite " * 1000)
    with pytest.raises(InputError, match=r"text: damaged .*; encode the corpus again"):
        PassageStore(tmp_path / "text")
    sqlite3.connect(tmp_path / "other").execute("create table passages (row)")
    with pytest.raises(InputError, match="other: not a store of passages that this version reads"):
        PassageStore(tmp_path / "other")
    path = tmp_path / "passages.sqlite"
    path.write_bytes(path.read_bytes()[:4096] + bytes(len(path.read_bytes()) - 4096))
    with pytest.raises(InputError, match="damaged"):
        list(PassageStore(path))


def test_a_name_that_an_address_would_misread(tmp_path):
    folder = tmp_path / "what? 100% #1"
    folder.mkdir()
    write_store(folder / "passages.sqlite", [DANUBE])
    assert PassageStore(folder / "passages.sqlite").at([0]) == [DANUBE]


def test_what_cannot_be_written_is_one_line(tmp_path):
    with pytest.raises(QgdrError, match="absent/passages: unable to open"):
        write_store(tmp_path / "absent" / "passages", [])
