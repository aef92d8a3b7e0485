"""``qgdr rerank``: a TREC run in, a TREC run out."""

import numpy as np
import pytest
from click.testing import CliRunner

from qgdr_pyserini.cli.main import main
from qgdr_pyserini.collection.corpus import Passage, write_corpus
from qgdr_pyserini.collection.trec import read_run
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.teacher import Teacher
from qgdr_pyserini.train.rerank import rerank_file


class Longest(Teacher):
    """Prefers long passages, and notes the languages that it is asked in."""

    def __init__(self):
        self.languages = {}

    def score_pairs(self, queries, passages, pairs):
        self.languages |= {query.text: query.language for query in queries}
        return np.array([len(passages[pair.passage].text) for pair in pairs], dtype=np.float32)


@pytest.fixture
def files(tmp_path):
    texts = {"a": "x", "b": "xxx", "c": "xx", "d": "xx", "e": "xxxx"}
    write_corpus(tmp_path / "corpus.jsonl", [Passage(docid, "", text) for docid, text in texts.items()])
    (tmp_path / "topics.de.tsv").write_text("q-de-1\tWo?\nq-de-2\tWer?\n")
    (tmp_path / "topics.en.tsv").write_text("q-en-1\tWhere?\nq-en-2\tWho?\n")
    (tmp_path / "questions.tsv").write_text("q-de-1\tWo?\nq-en-1\tWhere?\nq-en-2\tWho?\n")
    hits = {"q-en-1": "abcde", "q-de-1": "dca", "q-en-2": "e"}
    lines = [f"{q} Q0 {d} {n} {-n} bm25\n" for q, own in hits.items() for n, d in enumerate(own)]
    (tmp_path / "run.txt").write_text("".join(lines))
    return tmp_path


def rerank(files, teacher=None, **options):
    given = {
        "runs": [files / "run.txt"],
        "topics": [files / "topics.de.tsv", files / "topics.en.tsv"],
        "corpus": files / "corpus.jsonl",
        "target": files / "out.txt",
        "teacher": teacher or Longest(),
        "depth": 100,
        "tag": "x",
    }
    return rerank_file(**(given | options))


def test_hits_are_ordered_by_the_teacher_ties_as_trec_eval_breaks_them(files):
    teacher = Longest()
    assert rerank(files, teacher) == 3
    ranked = {qid: list(hits) for qid, hits in read_run(files / "out.txt").items()}
    assert ranked == {"q-de-1": ["d", "c", "a"], "q-en-1": ["e", "b", "d", "c", "a"], "q-en-2": ["e"]}
    assert (files / "out.txt").read_text().splitlines()[:2] == [
        "q-de-1 Q0 d 1 2.000000 x",
        "q-de-1 Q0 c 2 2.000000 x",
    ]
    assert teacher.languages == {"Wo?": "de", "Where?": "en", "Who?": "en"}


def test_hits_below_the_depth_are_left_out_and_the_language_may_be_told(files):
    teacher = Longest()
    rerank(files, teacher, depth=2, topics=[files / "questions.tsv"], language="fi")
    ranked = {qid: list(hits) for qid, hits in read_run(files / "out.txt").items()}
    assert ranked == {"q-de-1": ["d", "c"], "q-en-1": ["b", "a"], "q-en-2": ["e"]}
    assert set(teacher.languages.values()) == {"fi"}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda f: (f / "topics.en.tsv").write_text("q-en-1\tWhere?\n"), "'q-en-2' of the run is in none"),
        (
            lambda f: (f / "run.txt").write_text("q-en-1 Q0 z 1 1 x\n"),
            "holds no passage 'z'; give the corpus",
        ),
        (lambda f: (f / "run.txt").write_text("q-en-1 Q0 a 1\n"), "run.txt:1: needs 6 columns"),
        (lambda f: (f / "run.txt").write_text(""), "run.txt: ranks no query"),
    ],
)
def test_what_does_not_fit_together_is_named_and_nothing_is_written(files, change, problem):
    change(files)
    with pytest.raises(QgdrError) as raised:
        rerank(files)
    assert problem in str(raised.value)
    assert not (files / "out.txt").exists()


def test_a_query_in_two_runs_and_a_tag_of_two_words_are_refused(files):
    with pytest.raises(QgdrError, match="'q-en-1' is in another run too"):
        rerank(files, runs=[files / "run.txt", files / "run.txt"])
    with pytest.raises(QgdrError, match="holds whitespace"):
        rerank(files, tag="a b")


def test_a_path_that_is_no_teacher_is_one_line(files):
    result = CliRunner().invoke(
        main,
        ["rerank", "--teacher", str(files), "--run", str(files / "run.txt"), "--topics",
         str(files / "topics.*.tsv"), "--corpus", str(files / "corpus.jsonl"), "--output", "out.txt"],
    )  # fmt: skip
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert f"{files}: no model to load" in result.stderr
