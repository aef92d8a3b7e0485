"""Topics, qrels and answers: written, read again, refused with file and line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qgdr_pyserini.collection.answers import Answers, read_answers, write_answers
from qgdr_pyserini.collection.topics import read_topics, topics_language, write_topics
from qgdr_pyserini.collection.trec import Judgement, write_qrels
from qgdr_pyserini.errors import InputError, QgdrError

PRINTABLE = st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp"))
QIDS = st.text(alphabet=PRINTABLE, min_size=1, max_size=12).map("q{}".format)
QUESTIONS = st.lists(st.text(alphabet=PRINTABLE, min_size=1), min_size=1, max_size=6).map(" ".join)


@given(
    topics=st.dictionaries(QIDS, QUESTIONS, min_size=1, max_size=8), suffix=st.sampled_from(["tsv", "tsv.gz"])
)
def test_topics_written_are_read_again(topics, suffix, tmp_path_factory):
    path = tmp_path_factory.mktemp("topics") / f"topics.de.{suffix}"
    assert write_topics(path, topics) == len(topics)
    assert read_topics(path) == topics
    assert list(read_topics(path)) == list(topics)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("q2 Wer war das?", "no tab"),
        ("", "no tab"),
        ("\tWer war das?", "empty qid"),
        ("q2\t  ", "empty question"),
        ("q1\tWer war das?", "duplicate qid 'q1', first on line 1"),
        ("q 2\tWer war das?", "whitespace"),
        ("007\tWer war das?", "all digits, and Pyserini turns 007 into 7"),
        ("q2\tWer\twar das?", "holds a tab"),
    ],
)
def test_a_bad_topic_is_named(line, problem, tmp_path):
    path = tmp_path / "topics.de.tsv"
    path.write_text(f"q1\tWas ist das?\n{line}\n", encoding="utf-8")
    with pytest.raises(InputError, match=problem) as caught:
        read_topics(path)
    assert str(caught.value).startswith(f"{path}:2: ")


def test_no_topics(tmp_path):
    (tmp_path / "topics.de.tsv").touch()
    with pytest.raises(InputError, match="holds no topics"):
        read_topics(tmp_path / "topics.de.tsv")


@pytest.mark.parametrize("topics", [{"7": "x"}, {"q 1": "x"}, {"q": ""}, {"q": "a\tb"}, {"q": "a\nb"}])
def test_unreadable_topics_are_not_written(topics, tmp_path):
    with pytest.raises(QgdrError):
        write_topics(tmp_path / "topics.de.tsv", topics)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("topics.de.tsv", "de"),
        ("x/topics.bem.tsv.gz", "bem"),
        ("topics.zh-Hant.tsv", "zh-Hant"),
        ("topics.tsv", None),
        ("mytopics.de.tsv", None),
        ("topics.de.txt", None),
    ],
)
def test_language_from_the_name(name, language):
    assert topics_language(name) == language


def test_qrels_are_trec_lines(tmp_path):
    assert write_qrels(tmp_path / "qrels.txt", [Judgement("q1", "d1"), Judgement("q1", "d2", 0)]) == 2
    assert (tmp_path / "qrels.txt").read_text() == "q1 0 d1 1\nq1 0 d2 0\n"


@pytest.mark.parametrize("judgement", [Judgement("q 1", "d"), Judgement("q", ""), Judgement("q", "d\n")])
def test_qrels_with_ids_that_trec_cannot_hold(judgement, tmp_path):
    with pytest.raises(QgdrError, match=r"id .* is empty or holds whitespace"):
        write_qrels(tmp_path / "qrels.txt", [judgement])
    assert list(tmp_path.iterdir()) == []


@given(rows=st.lists(st.builds(Answers, QIDS, st.just("de"), st.lists(QUESTIONS).map(tuple)), max_size=5))
def test_answers_written_are_read_again(rows, tmp_path_factory):
    path = tmp_path_factory.mktemp("answers") / "answers.jsonl"
    expected = {row.qid: row for row in rows}
    assert write_answers(path, expected.values()) == len(expected)
    assert read_answers(path) == expected


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"id": "q1", "lang": "de", "answers": []}', "duplicate id 'q1'"),
        ('{"lang": "de", "answers": []}', "needs 'id'"),
        ('{"id": "q2", "lang": "", "answers": []}', "needs 'lang'"),
        ('{"id": "q2", "lang": "de", "answers": "x"}', "needs 'answers'"),
        ('{"id": "q2", "lang": "de", "answers": [1]}', "needs 'answers'"),
    ],
)
def test_a_bad_answer_is_named(line, problem, tmp_path):
    path = tmp_path / "answers.jsonl"
    path.write_text('{"id": "q1", "lang": "de", "answers": ["x"]}\n' + line + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=problem) as caught:
        read_answers(path)
    assert str(caught.value).startswith(f"{path}:2: ")
