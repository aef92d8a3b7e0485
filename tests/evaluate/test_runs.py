"""Reading judgements, runs and systems: what is accepted, in which order, and which line is blamed."""

import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qgdr_pyserini.collection.trec import read_qrels, read_run
from qgdr_pyserini.errors import InputError, QgdrError
from qgdr_pyserini.evaluate.languages import group_queries, language_of, read_languages
from qgdr_pyserini.evaluate.systems import find_runs, read_systems

IDS = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), min_size=1, max_size=8)
# Numerals that are few and close, so that ties happen.
SCORES = st.sampled_from(["1", "1.0", "2.5", "-3e2", "0.30000000000000004", "0.3"])


@pytest.fixture
def write(tmp_path):
    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")
        return str(path)

    return write


@given(st.dictionaries(IDS, st.dictionaries(IDS, SCORES, min_size=1, max_size=6), min_size=1, max_size=4))
def test_every_run_is_read_back_in_rank_order(tmp_path_factory, hits):
    path = tmp_path_factory.mktemp("run") / "run.txt"
    lines = [f"{q} Q0 {d} 1 {score} tag\n" for q, found in hits.items() for d, score in found.items()]
    path.write_text("".join(lines), encoding="utf-8", newline="")
    run = read_run(path)
    assert run == {q: {d: float(score) for d, score in found.items()} for q, found in hits.items()}
    for found in run.values():
        order = [(np.float32(score), docid) for docid, score in found.items()]
        assert order == sorted(order, reverse=True)


@given(st.dictionaries(IDS, st.dictionaries(IDS, st.integers(-999, 999), min_size=1), min_size=1, max_size=4))
def test_all_judgements_are_read_back(tmp_path_factory, grades):
    path = tmp_path_factory.mktemp("qrels") / "qrels.txt.gz"
    lines = [f"{q}\t0\t{d}  {grade}\r\n" for q, judged in grades.items() for d, grade in judged.items()]
    path.write_bytes(gzip.compress("".join(lines).encode()))
    assert read_qrels(path) == grades


def test_whole_numbers_written_as_floats_are_grades(write):
    path = write("qrels.txt", "q 0 a 1.0\nq 0 b 2.\nq 0 c -1.00\nq 0 d 3\n")
    assert read_qrels(path) == {"q": {"a": 1, "b": 2, "c": -1, "d": 3}}


def test_ties_fall_to_the_later_docid_whatever_the_order_and_the_rank_column(write):
    path = write("run.txt", "q Q0 d1 1 2.0 t\nq Q0 d3 2 2.0 t\n\nq Q0 d2 3 2.0 t\nq Q0 d0 4 9 t\n")
    assert list(read_run(path)["q"]) == ["d0", "d3", "d2", "d1"]


def test_scores_are_compared_in_32_bits_as_trec_eval_does(write):
    path = write("run.txt", "q Q0 d1 1 12.345678901 t\nq Q0 d2 2 12.345678900 t\nq Q0 d3 3 1e39 t\n")
    assert read_run(path)["q"] == {"d3": 1e39, "d2": 12.3456789, "d1": 12.345678901}
    assert list(read_run(path)["q"]) == ["d3", "d2", "d1"]


def test_a_no_break_space_is_part_of_a_docid(write):
    assert read_run(write("run.txt", "q Q0 New\u00a0York 1 2.0 t\n")) == {"q": {"New\u00a0York": 2.0}}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("q Q0 d 2 1.5", "needs 6 columns 'qid Q0 docid rank score tag', has 5"),
        ("q Q0 d 2 1.5 my run", "has 7"),
        ("q Q0 d 2 high t", "score 'high' is not a finite number"),
        ("q Q0 d 2 nan t", "score 'nan'"),
        ("q Q0 d 2 1e999 t", "score '1e999'"),
        ("q Q0 e 2 0.5 t", "'e' is listed twice for query 'q'"),
    ],
)
def test_a_bad_line_of_a_run_is_named(write, line, problem):
    path = write("run.txt", f"q Q0 e 1 3 t\n\n{line}\n")
    with pytest.raises(InputError) as caught:
        read_run(path)
    assert str(caught.value).startswith(f"{path}:3: ")
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("q d 1", "needs 4 columns 'qid 0 docid grade', has 3"),
        ("q 0 d 1.5", "grade '1.5' is not a whole number"),
        ("q 0 d 1000", "grade '1000'"),
        ("q 0 d ١", "grade '١'"),
        ("q 0 e 1", "'e' is judged twice for query 'q'"),
    ],
)
def test_a_bad_judgement_is_named(write, line, problem):
    path = write("qrels.txt", f"q 0 e 1\n{line}\n")
    with pytest.raises(InputError) as caught:
        read_qrels(path)
    assert str(caught.value).startswith(f"{path}:2: ")
    assert problem in str(caught.value)


def test_qrels_without_content_are_refused(write):
    with pytest.raises(InputError, match="holds no judgements"):
        read_qrels(write("empty.txt", "\n \n"))


def test_a_run_without_hits_is_refused_unless_another_file_of_the_system_has_some(write):
    empty = write("s.ar.txt", "\n \n")
    full = write("s.de.txt", "x-de-1 Q0 d 1 1 t\n")
    assert list(read_systems([f"s={empty}", f"s={full}"])[0].run) == ["x-de-1"]
    with pytest.raises(InputError, match="holds no hits"):
        read_systems([f"s={empty}"])


def test_files_of_one_name_make_one_system(write, tmp_path):
    write("runs/a.de.txt", "x-de-1 Q0 d 1 1 t\n")
    write("runs/a.es.txt", "x-es-1 Q0 d 1 1 t\n")
    single = write("runs/b.txt", "x-de-1 Q0 e 1 1 t\n")
    pattern = f"a={tmp_path}/runs/a.*.txt"
    systems = read_systems([pattern, single, f"a={tmp_path}/runs/a.de.txt"])
    assert [system.name for system in systems] == ["a", "b"]
    assert systems[0].run == {"x-de-1": {"d": 1.0}, "x-es-1": {"d": 1.0}}
    assert systems[0].files == (f"{tmp_path}/runs/a.de.txt", f"{tmp_path}/runs/a.es.txt")


def test_a_query_in_two_files_of_one_system_is_refused(write):
    first, second = write("1.txt", "q Q0 d 1 1 t\n"), write("2.txt", "q Q0 e 1 1 t\n")
    with pytest.raises(InputError, match="query 'q' of system 'a'") as caught:
        read_systems([f"a={first}", f"a={second}"])
    assert first in str(caught.value)
    assert second in str(caught.value)


def test_names_and_files_are_told_apart(tmp_path, write):
    assert find_runs(["runs/lr=1e-5/run.txt"]) == {"run": ["runs/lr=1e-5/run.txt"]}
    assert find_runs(["a=b=c.txt", "runs/x.run.gz"]) == {"a": ["b=c.txt"], "x": ["runs/x.run.gz"]}
    strange = write("odd[1].txt", "")
    assert find_runs([strange]) == {"odd[1]": [strange]}
    for option in ("=file", "a=", "a\nb=file"):
        with pytest.raises(QgdrError, match="NAME=FILE"):
            find_runs([option])
    with pytest.raises(QgdrError, match="no file matches"):
        find_runs([f"a={tmp_path}/none.*.txt"])


def test_the_language_is_read_from_the_id_only_where_it_is_one():
    known = {"xquad-de-56beb-1": "de", "sample-zh-07": "zh", "mr-tydi-sw-1": "sw", "mkqa-zh_cn-1": "zh_cn"}
    assert {qid: language_of(qid) for qid in known} == known
    for qid in ("msmarco-dev-12", "trec-dl-19335", "12", "de-12", "xquad-de", "xquad-DE-1", ""):
        assert language_of(qid) is None


def test_topics_overrule_the_id(write):
    topics = [write("topics.zh-Hant.tsv", "x-zh-1\t甚麼\n"), write("topics.de.tsv", "p1\tWas?\n")]
    languages = read_languages(topics)
    groups = group_queries(["p1", "x-zh-1", "x-zh-2"], languages)
    assert groups == {"de": ["p1"], "zh": ["x-zh-2"], "zh-Hant": ["x-zh-1"]}
    with pytest.raises(QgdrError, match="'p1' is in the topics of 'de' too"):
        read_languages([*topics, write("topics.es.tsv", "p1\t¿Qué?\n")])
    with pytest.raises(QgdrError, match=r"topics\.LANG\.tsv"):
        read_languages([write("questions.tsv", "q\tWas?\n")])


def test_only_some_languages_can_be_kept():
    qids = ["x-de-1", "x-es-1", "q"]
    assert group_queries(qids, {}, ["es"]) == {"es": ["x-es-1"]}
    with pytest.raises(QgdrError, match="there are de, es, other"):
        group_queries(qids, {}, ["fr"])
