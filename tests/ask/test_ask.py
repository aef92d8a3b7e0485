"""``qgdr ask``: what it finds is what Pyserini finds, and it prints what people can read."""

import io
import json
import re
import shutil

import pytest
from asked import FLAT, qgdr, sample
from click.testing import CliRunner
from rich.console import Console

from qgdr_pyserini.ask.asking import AskRequest, ask
from qgdr_pyserini.ask.engine import fused, open_engine
from qgdr_pyserini.ask.passages import Answer, Hit, RankedPassage
from qgdr_pyserini.ask.terminal import print_answers
from qgdr_pyserini.cli import main
from qgdr_pyserini.collection.corpus import Passage, read_corpus
from qgdr_pyserini.collection.topics import read_topics
from qgdr_pyserini.encode.encode_corpus import encode_corpus
from qgdr_pyserini.errors import InputError, QgdrError

QUESTION = "Welcher Fluss fließt durch Wien?"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return sample(tmp_path_factory.mktemp("asked"))


@pytest.fixture(scope="module")
def questions(place):
    return [*list(read_topics(place / "c" / "topics.de.tsv").values())[:12], QUESTION]


def ids(answers):
    return [hit.docid for hit in answers.hits]


def test_dense_answers_are_pyserinis(place, questions):
    from pyserini.search.faiss import FaissSearcher

    searcher = FaissSearcher(str(place / "sample.qgdr"), "qgdr")
    passages = {item.docid: item for item in read_corpus(place / "c")}
    found = list(ask(AskRequest(place / "sample.qgdr", hits=7), questions, together=5))
    assert len(found) == len(questions)
    for question, (answer,) in zip(questions, found, strict=True):
        expected = searcher.search(question, 7)
        assert ids(answer) == [hit.docid for hit in expected]
        assert [hit.score for hit in answer.hits] == pytest.approx([hit.score for hit in expected], abs=1e-6)
        assert [hit.text for hit in answer.hits] == [passages[hit.docid].text for hit in expected]
        assert [hit.rank for hit in answer.hits] == list(range(1, 8))
        assert (answer.question, answer.language, answer.system) == (question, "de", "qgdr")


def test_bm25_answers_are_those_of_qgdr_bm25_and_hybrid_ones_of_compare(place, questions, tmp_path):
    from qgdr_pyserini.evaluate.fusion import fuse
    from qgdr_pyserini.evaluate.systems import System
    from qgdr_pyserini.pyserini_plugin.bm25 import Options, write_bm25_runs

    english = [*read_topics(place / "c" / "topics.en.tsv").items()][:10]
    (tmp_path / "topics.en.tsv").write_text("".join(f"{qid}\t{text}\n" for qid, text in english))
    (run,) = write_bm25_runs(place / "c", [tmp_path / "topics.en.tsv"], tmp_path, Options(hits=100))
    expected: dict[str, dict[str, float]] = {}
    for line in run.read_text().splitlines():
        qid, _, docid, _, score, _ = line.split()
        expected.setdefault(qid, {})[docid] = float(score)
    told = []
    with open_engine(place / "sample.qgdr", bm25=tmp_path / "lucene", tell=told.append) as engine:
        texts, count = [text for _, text in english], len(engine.store)
        bm25, dense, hybrid = (engine.answer(texts, 100, mode) for mode in ("bm25", "dense", "hybrid"))
    assert told == [f"Indexing {count} passages for BM25: {tmp_path / 'lucene'}"]
    for (qid, _), one in zip(english, bm25, strict=True):
        assert ids(one) == list(expected[qid])
        assert [hit.score for hit in one.hits] == pytest.approx(list(expected[qid].values()), abs=1e-5)
    runs = [
        System(
            name,
            (),
            {qid: {h.docid: h.score for h in one.hits} for (qid, _), one in zip(english, found, strict=True)},
        )
        for name, found in (("dense", dense), ("bm25", bm25))
    ]
    both = fuse("hybrid", "sum", runs)
    for (qid, _), one in zip(english, hybrid, strict=True):
        assert ids(one) == list(both.run[qid])[:100]
    told.clear()
    with open_engine(place / "sample.qgdr", bm25=tmp_path / "lucene", tell=told.append) as engine:
        assert engine.modes == ("dense", "bm25", "hybrid")
    assert told == []  # the index is there


def test_scores_that_add_up():
    a, b, c = (Passage(docid, "", "") for docid in "abc")
    assert [hit.passage.docid for hit in fused([Hit(a, 3), Hit(b, 2), Hit(c, 1)], [])] == ["a", "b", "c"]
    assert fused([], []) == []


def test_another_index_is_set_beside_by_ids(place, tmp_path):
    lines = (place / "c" / "corpus.jsonl").read_text().splitlines(keepends=True)[:30]
    (tmp_path / "corpus.jsonl").write_text("".join(reversed(lines)))
    encode_corpus(tmp_path / "corpus.jsonl", tmp_path / "backwards", options=FLAT)
    request = AskRequest(place / "sample.qgdr", 185, compare="qgdr", compare_index=tmp_path / "backwards")
    ((one, other),) = ask(request, [QUESTION])
    assert len(other.hits) == 30
    assert ids(other) == [docid for docid in ids(one) if docid in ids(other)]
    assert (one.system, other.system) == ("qgdr", f"qgdr, {tmp_path / 'backwards'}")
    (tmp_path / "few.jsonl").write_text('{"id": "stranger", "text": "Vienna"}\n')
    encode_corpus(tmp_path / "few.jsonl", tmp_path / "few", options=FLAT)
    with pytest.raises(
        QgdrError, match="few: passage 'stranger' is not in the index that it is compared with"
    ):
        list(ask(AskRequest(place / "sample.qgdr", compare_index=tmp_path / "few"), [QUESTION]))


def test_an_index_without_passages_takes_the_corpus(place, tmp_path):
    bare = tmp_path / "bare"
    shutil.copytree(place / "sample.qgdr", bare)
    (bare / "passages.sqlite").unlink()
    manifest = json.loads((bare / "qgdr.json").read_text())
    del manifest["store"]
    (bare / "qgdr.json").write_text(json.dumps(manifest))
    with pytest.raises(QgdrError, match=r"bare: has no passages beside it; give --corpus PATH, or add them"):
        list(ask(AskRequest(bare), [QUESTION]))
    (whole,) = ask(AskRequest(place / "sample.qgdr"), [QUESTION])
    (found,) = ask(AskRequest(bare, corpus=str(place / "c")), [QUESTION])
    assert found == whole
    (bare / "qgdr.json").unlink()  # as Pyserini's own
    (found,) = ask(AskRequest(bare, corpus=str(place / "c"), encoder="qgdr"), [QUESTION])
    assert found == whole


def test_what_cannot_be_asked(place, tmp_path, tiny_encoder):
    index = place / "sample.qgdr"
    with pytest.raises(QgdrError, match=r"encoded by qgdr .*use one encoder for both"):
        list(ask(AskRequest(index, encoder=str(tiny_encoder)), [QUESTION]))
    with pytest.raises(QgdrError, match="nowhere: no index"):
        list(ask(AskRequest(tmp_path / "nowhere"), [QUESTION]))
    with pytest.raises(QgdrError, match="--mode hybrid needs --bm25 DIR"):
        AskRequest(index, modes=("hybrid",))
    with pytest.raises(QgdrError, match="--compare ENCODER needs --compare-index DIR"):
        AskRequest(index, compare="qgdr")
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "text").write_text("mine")
    with pytest.raises(QgdrError, match="thesis: no index of Lucene's"):
        list(ask(AskRequest(index, bm25=tmp_path / "thesis"), [QUESTION]))
    broken = tmp_path / "broken"
    shutil.copytree(index, broken)
    (broken / "passages.sqlite").write_bytes(b"no")
    with pytest.raises(InputError, match=r"passages\.sqlite: "):
        list(ask(AskRequest(broken), [QUESTION]))


@pytest.mark.parametrize("typed", [True, False])
def test_the_command_answers_what_is_typed_and_what_is_piped(place, typed):
    asked = [QUESTION, "Where is the Golden Gate Bridge?"]
    arguments = ["ask", "--index", str(place / "sample.qgdr"), "--hits", "2", "--json"]
    stdin = "" if typed else "\n".join([*asked, "", " "])
    result = CliRunner().invoke(main, [*arguments, *(asked if typed else [])], input=stdin)
    assert result.exit_code == 0, result.output
    rows = list(map(json.loads, result.stdout.splitlines()))
    assert [row["question"] for row in rows] == asked
    assert [row["language"] for row in rows] == ["de", "en"]
    (system,) = rows[0]["systems"]
    assert system["system"] == "qgdr"
    assert [hit["rank"] for hit in system["hits"]] == [1, 2]
    for hit in system["hits"]:
        assert all(hit["text"][start:end].strip() for start, end in hit["text_marks"])


def test_a_pipe_gets_plain_lines(place):
    done = qgdr("ask", "--index", place / "sample.qgdr", "--hits", "3", QUESTION)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    head, *rest = done.stdout.splitlines()
    assert head == f"{QUESTION}  German"
    assert [line.split()[0] for line in rest[:-1:2]] == ["1", "2", "3"]
    assert all(line.startswith("    ") and line == line.rstrip() for line in rest[1:-1:2])


def test_input_that_is_no_text_is_one_line(place):
    result = CliRunner().invoke(main, ["ask", "--index", str(place / "sample.qgdr")], input=b"caf\xe9\n")
    assert result.exit_code == 2
    assert result.stderr == "Error: stdin:1: not UTF-8 (invalid continuation byte); convert it first\n"


def shown(answers, width, **options):
    stream = io.StringIO()
    print_answers(answers, Console(file=stream, force_terminal=True, width=width, highlight=False), **options)
    return stream.getvalue()


def answer(system, *hits):
    return Answer("أين ينبع نهر الدانوب؟", "ar", system, list(hits))


def ranked(rank, docid, title, text, marks=()):
    return RankedPassage(rank, docid, 0.5, title, text, [], list(marks))


def test_a_terminal_gets_styles_columns_and_isolated_titles():
    one = ranked(1, "d1", "نهر الدانوب", "The Danube \x1b[2J rises " + "far away " * 60, [(4, 10)])
    other = ranked(1, "d2", "Rhine", "Another river.")
    text = shown([answer("dense", one), answer("bm25", other, ranked(2, "d1", "", "x"))], 120)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert "\u2068نهر الدانوب\u2069" in plain
    assert "\x1b[2J" not in text
    assert "\x1b[1;33mDanube\x1b[0m" in text
    line = next(line for line in plain.splitlines() if "Rhine" in line)
    assert "الدانوب" in line  # side by side
    assert "bm25: 2" in plain
    assert "dense: –" in plain
    assert "…" in plain
    assert all(len(line) <= 124 for line in plain.splitlines())  # marks of direction take no place
    narrow = shown([answer("dense", one), answer("bm25", other)], 60)
    assert not any("Rhine" in line and "الدانوب" in line for line in narrow.splitlines())
    assert "nothing found" in shown([answer("bm25")], 80)
    assert "…" not in shown([answer("dense", one)], 80, full=True)
