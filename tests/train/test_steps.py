"""Tevatron files, exact search, hard negatives, and the single steps from file to file."""

import gzip
import json

import hub_layouts
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from qgdr_pyserini.cli.main import main
from qgdr_pyserini.collection.corpus import Passage, write_corpus
from qgdr_pyserini.collection.tevatron import Candidate, CandidateList, read_candidates, write_candidates
from qgdr_pyserini.errors import InputError, QgdrError
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.teacher import Query, Teacher
from qgdr_pyserini.model.teachers import load_teacher
from qgdr_pyserini.train.mining import retrieve, search
from qgdr_pyserini.train.negatives import (
    NegativeSettings,
    contains_answer,
    mine_negatives,
)

CORPUS = {
    name: Passage(name, title, text)
    for name, title, text in (
        ("p1", "Danube", "It rises in the Black Forest and flows to the Black Sea."),
        ("p2", "Rhine", "It rises in the Alps and flows to the North Sea."),
        ("p3", "Forest", "The Black Forest is a range of mountains."),
        ("p4", "Elbe", "It rises in the mountains and flows to the North Sea."),
        ("p5", "Danube", "It rises in the Black Forest and flows to the Black Sea."),
    )
}


def row(query_id, query, *positives, **more):
    return CandidateList(query_id, query, tuple(Candidate(CORPUS[name]) for name in positives), **more)


ROWS = [
    row("q1", "Wo entspringt die Donau?", "p1", lang="de", answers=("Black Forest",)),
    row("q2", "Where does the Rhine rise?", "p2", lang="en"),
    row("q3", "Куда течёт Эльба?", "p4", lang="ru", answers=("yes",)),
]
RANKING = {"q1": ["p5", "p3", "p2", "p1", "p4"], "q2": ["p4", "p2", "p1", "p3"], "q3": ["p4", "p1"]}

text = st.text(st.characters(codec="utf-8"), max_size=12)
candidate = st.builds(
    Candidate,
    st.builds(Passage, text, text, text),
    st.none() | st.floats(allow_nan=False, allow_infinity=False),
)
lists = st.builds(
    CandidateList,
    query_id=text.filter(bool),
    query=text,
    positives=st.tuples(candidate),
    negatives=st.lists(candidate, max_size=3).map(tuple),
    lang=text,
    answers=st.lists(text, max_size=2).map(tuple),
    aligned_with=text,
)


@settings(max_examples=40, deadline=None)
@given(st.lists(lists, min_size=1, max_size=4, unique_by=lambda item: item.query_id))
def test_what_is_written_is_read(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl.gz"
    assert write_candidates(path, rows) == len(rows)
    assert list(read_candidates(path)) == rows


def test_tevatrons_own_rows_are_read(tmp_path):
    path = tmp_path / "xor.jsonl"
    passage = {"docid": "1", "title": "A", "text": "b", "extra": 3}
    path.write_text(
        json.dumps({"query_id": "x", "query": "y", "positive_passages": [passage], "negative_passages": []})
    )
    assert list(read_candidates(path)) == [CandidateList("x", "y", (Candidate(Passage("1", "A", "b")),))]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "holds no queries"),
        ([{"query_id": "", "query": "x"}], ":1: empty query_id"),
        ([{"query_id": "a"}], ":1: needs 'query' as text"),
        ([{"query_id": "a", "query": "x"}] * 2, ":2: duplicate query_id 'a'"),
        ([{"query_id": "a", "query": "x", "positive_passages": 3}], "as a list of passages"),
        ([{"query_id": "a", "query": "x", "positive_passages": ["p"]}], "must be an object"),
        ([{"query_id": "a", "query": "x", "negative_passages": [{"docid": "d"}]}], "needs 'text'"),
        ([{"query_id": "a", "query": "x", "answers": "z"}], "'answers' as a list"),
        (
            [
                {
                    "query_id": "a",
                    "query": "x",
                    "positive_passages": [{"docid": "d", "text": "", "score": "1"}],
                }
            ],
            "finite number, not '1'",
        ),
    ],
)
def test_malformed_rows_are_named(tmp_path, lines, message):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(InputError, match=f"rows.jsonl.*{message}"):
        list(read_candidates(path))


@pytest.mark.parametrize("memory_mb", [0, 64])
def test_search_is_exact(memory_mb, monkeypatch):
    generator = torch.Generator().manual_seed(0)
    queries, passages = (torch.randn(n, 8, generator=generator) for n in (7, 70_000))
    expected = (queries @ passages.T).sort(dim=1, descending=True)
    hits = search(queries, passages, k=20, memory_mb=memory_mb)
    torch.testing.assert_close(hits.scores, expected.values[:, :20])
    assert torch.equal(hits.places, expected.indices[:, :20])
    assert search(queries, passages[:3], k=20).places.sort().values.tolist() == [[0, 1, 2]] * 7
    assert search(queries[:0], passages, k=5).places.shape == (0, 5)


class Known(Teacher):
    """Scores by docid alone."""

    def __init__(self, scores):
        self.scores = scores

    def score_pairs(self, queries, passages, pairs):
        return np.array([self.scores[passages[pair.passage].docid] for pair in pairs], dtype=np.float32)


def mined(teacher=None, **values):
    rows = mine_negatives(ROWS, RANKING, CORPUS, NegativeSettings(**values), teacher)
    return {row.query_id: [item.passage.docid for item in row.negatives] for row in rows}


def test_negatives_are_no_positives_and_hold_no_answer():
    # p5 is the first query's positive under another docid, p3 has its answer; "yes" stands nowhere.
    assert mined() == {"q1": ["p2", "p4"], "q2": ["p4", "p1", "p3"], "q3": ["p1"]}
    assert mined(negatives=1) == {"q1": ["p2"], "q2": ["p4"], "q3": ["p1"]}
    assert mined(depth=2) == {"q1": [], "q2": ["p4"], "q3": ["p1"]}


def test_the_teacher_judges_where_no_answers_are_known():
    teacher = Known({"p1": -3.0, "p2": -2.0, "p3": -2.4, "p4": -1.0, "p5": 0.0})
    assert mined(teacher) == {"q1": ["p2", "p4"], "q2": ["p1", "p3"], "q3": ["p1"]}
    assert mined(teacher, margin=0.5)["q2"] == ["p1"]


def test_answers_are_whole_words():
    passage = CORPUS["p1"]
    assert contains_answer(passage, ["black  forest", "x"])
    assert contains_answer(passage, ["Danube"])
    assert not contains_answer(passage, ["ack Forest"])
    assert not contains_answer(passage, ["?", ""])


def test_a_docid_that_is_not_in_the_corpus_is_named():
    with pytest.raises(QgdrError, match="docid 'p9' was retrieved but"):
        mine_negatives(ROWS, {"q1": ["p9"]}, CORPUS, NegativeSettings())


def test_ranking_with_an_encoder_is_by_inner_product(tiny_encoder, tmp_path):
    encoder = DualEncoder.from_pretrained(tiny_encoder)
    passages = encoder.encode_passages([p.text for p in CORPUS.values()], [p.title for p in CORPUS.values()])
    scores = encoder.encode_queries([row.query for row in ROWS]) @ passages.T
    ranking, _ = retrieve(encoder, ROWS, lambda: iter(CORPUS.values()), 3, tmp_path)
    for own, item in zip(scores, ROWS, strict=True):
        found = [own[list(CORPUS).index(docid)] for docid in ranking[item.query_id]]
        np.testing.assert_allclose(found, sorted(own, reverse=True)[:3], atol=1e-6)


@pytest.fixture(scope="module")
def generator(tmp_path_factory):
    return hub_layouts.mt5(tmp_path_factory.mktemp("hub") / "mt5")


@pytest.fixture
def folder(tmp_path):
    write_candidates(tmp_path / "rows.jsonl", ROWS)
    write_corpus(tmp_path / "corpus.jsonl", CORPUS.values())
    lines = [f"{q} Q0 {d} {n} {9 - n} bm25\n" for q, ds in RANKING.items() for n, d in enumerate(ds, 1)]
    (tmp_path / "run.txt").write_text("".join(lines))
    return tmp_path


def qgdr(*arguments):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    return result.exit_code, result.output


def test_the_steps_follow_each_other(folder, generator, tiny_encoder):
    files = {name: folder / f"{name}.jsonl" for name in ("rows", "mined", "scored", "generated", "agreed")}
    code, output = qgdr("mine-negatives", "--input", files["rows"], "--output", files["mined"],
                        "--corpus", folder / "corpus.jsonl", "--run", folder / "run.txt",
                        "--teacher", generator, "--negatives", 2)  # fmt: skip
    assert (code, output) == (0, f"3 queries: {files['mined']}\n")
    rows = list(read_candidates(files["mined"]))
    assert [item.passage.docid for item in rows[0].negatives] == ["p2", "p4"]

    assert (
        qgdr("score", "--teacher", generator, "--input", files["mined"], "--output", files["scored"])[0] == 0
    )
    teacher = load_teacher(str(generator))
    for item in read_candidates(files["scored"]):
        passages = [part.passage for part in item.candidates]
        expected = teacher.score([Query(item.query, item.lang)], passages)[0]
        np.testing.assert_allclose([part.score for part in item.candidates], expected, atol=1e-5)

    arguments = ["generate-queries", "--generator", generator, "--input", files["scored"],
                 "--language", "de", "--language", "zh", "-n", 2, "--seed", 3]  # fmt: skip
    for name in ("generated", "again"):
        assert qgdr(*arguments, "--output", folder / f"{name}.jsonl")[0] == 0
    assert files["generated"].read_bytes() == (folder / "again.jsonl").read_bytes()
    made = list(read_candidates(files["generated"]))
    sources = {item.query_id: item for item in rows}
    assert {(item.aligned_with, item.lang) for item in made} <= {
        (q, lang) for q in sources for lang in ("de", "zh")
    } - {("q1", "de")}
    for item in made:
        assert item.candidates == sources[item.aligned_with].candidates
        assert item.query_id.startswith(f"{item.aligned_with}.{item.lang}.")
    assert (
        qgdr("score", "--teacher", generator, "--input", files["generated"], "--output", files["agreed"])[0]
        == 0
    )

    code, _ = qgdr("mine-negatives", "--input", files["rows"], "--output", folder / "dense.jsonl.gz",
                   "--corpus", folder / "corpus.jsonl", "--encoder", tiny_encoder)  # fmt: skip
    assert code == 0
    with gzip.open(folder / "dense.jsonl.gz", "rt") as file:
        assert len(file.readlines()) == 3


MINE = "mine-negatives --input rows.jsonl --output x --corpus corpus.jsonl"
SCORE = "score --output x --teacher"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (MINE, "give one of --run and --encoder"),
        (f"{MINE} --run other.txt", "ranks none of the queries"),
        (f"{MINE} --encoder nothing", "unknown encoder 'nothing'"),
        (f"{SCORE} nowhere/here --input rows.jsonl", "no model to load"),
        (f"{SCORE} MT5 --input none.jsonl", "none.jsonl: no such file"),
        (f"{SCORE} MT5 --input rows.jsonl --device cuda:99", "device 'cuda:99' cannot be used"),
        (
            "generate-queries --generator MT5 --input rows.jsonl --output x --language qq",
            "language 'qq' has no English name",
        ),
    ],
)
def test_errors_are_one_line(folder, generator, monkeypatch, arguments, message):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (folder / "other.txt").write_text("z Q0 p1 1 1 t\n")
    code, output = qgdr(*arguments.replace("MT5", str(generator)).split())
    lines = output.strip().splitlines()
    assert code == 2
    assert lines[-1].startswith("Error: ")
    assert message in lines[-1]
    assert len(lines) == 1
    assert not (folder / "x").exists()


def test_a_classifier_cannot_generate(folder, tmp_path_factory):
    classifier = hub_layouts.mbert(tmp_path_factory.mktemp("hub") / "mbert")
    code, output = qgdr("generate-queries", "--generator", classifier, "--input", folder / "rows.jsonl",
                        "--output", folder / "x", "--language", "de")  # fmt: skip
    assert code == 2
    assert "is no seq2seq or causal model" in output
