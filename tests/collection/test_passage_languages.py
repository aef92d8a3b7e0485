"""Which languages passages are in: told by the corpus, by a table, or by their text."""

import gzip

import pytest

from qgdr_pyserini.collection.corpus import Passage, read_corpus, write_corpus
from qgdr_pyserini.dictionary.passage_languages import SAMPLE, count_languages, read_passage_languages
from qgdr_pyserini.errors import InputError

DANUBE = Passage("d1", "", "Die Donau entspringt im Schwarzwald und mündet ins Schwarze Meer.")
RIVER = Passage("d2", "", "Дунай берёт начало в горах Шварцвальда.", "ru")


def test_a_language_is_written_and_read(tmp_path):
    write_corpus(tmp_path / "c.jsonl", [DANUBE, RIVER])
    lines = (tmp_path / "c.jsonl").read_text().splitlines()
    assert ["language" in line for line in lines] == [False, True]
    assert list(read_corpus(tmp_path / "c.jsonl")) == [DANUBE, RIVER]
    assert read_passage_languages(tmp_path / "c.jsonl") == {"d1": "de", "d2": "ru"}


def test_a_corpus_without_languages_is_recognised_by_its_beginning():
    def passages():
        yield from [DANUBE] * SAMPLE
        raise AssertionError("read too far")

    assert count_languages(passages()) == {"de": SAMPLE}


def test_a_table_of_languages(tmp_path):
    with gzip.open(tmp_path / "languages.tsv.gz", "wt") as file:
        file.write("d1\tde\nd2\tru\n")
    assert read_passage_languages(tmp_path / "languages.tsv.gz") == {"d1": "de", "d2": "ru"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("d1 de\n", r"languages\.tsv:1: needs docid<TAB>language"),
        ("d1\t\n", r"languages\.tsv:1: needs docid<TAB>language"),
        ("d1\tde\nd1\tru\n", r"languages\.tsv:2: duplicate docid 'd1'"),
        ("", r"languages\.tsv: holds no passages"),
    ],
)
def test_a_malformed_table(tmp_path, text, problem):
    (tmp_path / "languages.tsv").write_text(text)
    with pytest.raises(InputError, match=problem):
        read_passage_languages(tmp_path / "languages.tsv")
