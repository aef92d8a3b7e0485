"""DataFrames for topics, qrels, runs and corpora: what is taken, and what is refused."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qgdr_pyserini.api.frames import (
    corpus_on_disk,
    qrels_frame,
    run_frame,
    to_passages,
    to_qrels,
    to_run,
    to_topics,
    topics_frame,
)
from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.collection.trec import rank_hits
from qgdr_pyserini.errors import QgdrError

ids = st.text(st.characters(categories=("L", "N", "P")), min_size=1, max_size=6)
texts = st.text(min_size=1, max_size=20).filter(str.strip)
scores = st.floats(-1e6, 1e6)


@given(st.dictionaries(ids, texts, min_size=1))
def test_topics_survive_a_frame(questions):
    found = to_topics(topics_frame(to_topics(questions)))
    assert found.questions == {qid: text.strip() for qid, text in questions.items()}


@given(st.dictionaries(ids, st.dictionaries(ids, st.integers(-5, 5), min_size=1), min_size=1))
def test_qrels_survive_a_frame(qrels):
    assert to_qrels(qrels_frame(qrels)) == qrels


@given(st.dictionaries(ids, st.dictionaries(ids, scores, min_size=1), min_size=1))
def test_runs_survive_a_frame_ranked_as_trec_eval_ranks(run):
    found = to_run(run_frame(to_run(run)))
    assert found == run
    assert all([*hits] == [*rank_hits(run[qid])] for qid, hits in found.items())


@pytest.mark.parametrize(
    "names", [("qid", "query", "docid"), ("query_id", "text", "doc_id"), ("q_id", "query", "docno")]
)
def test_the_columns_of_other_libraries_are_known(names):
    qid, query, docid = names
    assert to_topics(pd.DataFrame({qid: [7], query: ["Wo?"]})).questions == {"7": "Wo?"}
    assert to_qrels(pd.DataFrame({qid: [7], docid: ["a"], "label": [2]})) == {"7": {"a": 2}}
    assert to_run(pd.DataFrame({qid: [7, 7], docid: ["a", "b"], "score": [1, 2.5]})) == {
        "7": {"b": 2.5, "a": 1}
    }


def test_ranks_alone_make_a_run():
    assert [*to_run(pd.DataFrame({"qid": ["q", "q"], "docid": ["a", "b"], "rank": [2, 1]}))["q"]] == [
        "b",
        "a",
    ]


def test_a_language_comes_from_a_column_a_file_or_the_id(tmp_path):
    frame = pd.DataFrame(
        {"qid": ["a", "xquad-es-1", "c"], "query": ["x", "y", "z"], "lang": ["de", None, None]}
    )
    assert topics_frame(to_topics(frame)).lang.fillna("-").tolist() == ["de", "es", "-"]
    for language in ("ru", "zh"):
        (tmp_path / f"topics.{language}.tsv").write_text(f"{language}1\tx\n")
    assert topics_frame(to_topics(tmp_path / "topics.*.tsv")).lang.tolist() == ["ru", "zh"]
    (tmp_path / "topics.de.tsv").write_text("ru1\tx\n")
    with pytest.raises(QgdrError, match="qid 'ru1' is in another topics file too"):
        to_topics(tmp_path / "topics.*.tsv")


def test_a_corpus_may_lack_titles():
    frame = pd.DataFrame({"docno": [1, 2], "text": ["x", "y"], "title": ["t", None]})
    assert to_passages(frame) == {"1": Passage("1", "t", "x"), "2": Passage("2", "", "y")}
    assert to_passages(frame.drop(columns="title"))["1"].title == ""


QID = {"qid": ["q"]}


@pytest.mark.parametrize(
    ("convert", "frame", "message"),
    [
        (to_topics, {**QID}, "topics: needs a column 'query'; there is qid"),
        (to_topics, {"qid": ["q", "q"], "query": ["x", "y"]}, "qid 'q' stands twice"),
        (to_topics, {"qid": ["a b"], "query": ["x"]}, "holds whitespace"),
        (to_topics, {**QID, "query": [None]}, "the question of 'q' is None"),
        (to_topics, {"qid": [], "query": []}, "there is no question"),
        (to_qrels, {**QID, "docid": ["a"]}, "needs a column 'relevance'"),
        (to_qrels, {"qid": ["q"] * 2, "docid": ["a"] * 2, "relevance": [1, 0]}, "judged twice"),
        (to_qrels, {**QID, "docid": ["a"], "relevance": [0.5]}, "grade 0.5 of 'a' for query 'q'"),
        (to_run, {**QID, "docid": ["a"]}, "needs a column 'score' or 'rank'"),
        (to_run, {**QID, "docid": ["a"], "score": [float("nan")]}, "score nan of 'a' is not a finite"),
        (to_run, {"qid": ["q"] * 2, "docid": ["a"] * 2, "score": [1, 2]}, "listed twice"),
        (to_run, {**QID, "docid": [""], "score": [1]}, "docid '' is empty"),
        (to_run, {"qid": [], "docid": [], "score": []}, "holds no hits"),
        (
            to_passages,
            {"docid": ["a", "a"], "text": ["x", "y"]},
            "id 'a' is empty, holds whitespace or stands twice",
        ),
        (to_passages, {"docid": ["a"], "text": [None]}, "the text of 'a' is None"),
    ],
)
def test_a_frame_that_cannot_be_used_is_one_error(convert, frame, message):
    with pytest.raises(QgdrError, match=message):
        convert(pd.DataFrame(frame))


def test_a_corpus_in_memory_is_on_disk_only_meanwhile():
    with corpus_on_disk(pd.DataFrame({"docid": ["a"], "text": ["x"]})) as path:
        assert [*to_passages(path)] == ["a"]
    with pytest.raises(QgdrError, match="no such file"):
        to_passages(path)
