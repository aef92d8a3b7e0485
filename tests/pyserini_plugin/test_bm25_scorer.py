"""Dictionary BM25 of given candidates: the scores of a search, and one of the scores of a teacher."""

import json

import pytest
from click.testing import CliRunner
from test_bm25_settings import LEXICON, PASSAGES
from test_teacher_only import data, with_teacher  # noqa: F401

from qgdr_pyserini.cli.main import main
from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.collection.tevatron import Candidate, CandidateList, read_candidates
from qgdr_pyserini.pyserini_plugin.bm25 import Options, write_bm25_runs
from qgdr_pyserini.pyserini_plugin.bm25_training import score_with_bm25


def test_candidates_have_the_scores_that_a_search_gives_them(tmp_path):
    passages = [Passage(docid, "", text) for docid, text in PASSAGES.items()]
    (tmp_path / "lexicon.tsv").write_text("".join("\t".join(row) + "\n" for row in LEXICON))
    lines = [json.dumps({"id": p.docid, "contents": p.text}) + "\n" for p in passages]
    (tmp_path / "corpus.jsonl").write_text("".join(lines))
    questions = {
        "de": {"q1": "Wo liegt das Schwarze Meer?", "q2": "Wo der?", "q3": "Die Flüsse"},
        "en": {"e1": "where is the black sea"},
        "fr": {"f1": "la forest"},
    }
    topics = [tmp_path / f"topics.{lang}.tsv" for lang in questions]
    for file, own in zip(topics, questions.values(), strict=True):
        file.write_text("".join(f"{qid}\t{text}\n" for qid, text in own.items()))
    options = Options(lexicon=tmp_path / "lexicon.tsv")
    expected = {}
    for run in write_bm25_runs(tmp_path / "corpus.jsonl", topics, tmp_path / "runs", options):
        for line in run.read_text().splitlines():
            qid, _, docid, _, score, _ = line.split()
            expected[qid, docid] = float(score)
    rows = [
        CandidateList(qid, text, (Candidate(passages[0]),), tuple(map(Candidate, passages[2:])), lang)
        for lang, own in questions.items()
        for qid, text in own.items()
    ]
    found = score_with_bm25(rows, passages, tmp_path / "lexicon.tsv", None)
    assert found.keys() == {(r.query_id, c.passage.docid) for r in rows for c in r.candidates}
    assert max(found.values()) > 0
    for pair, score in found.items():
        # A run has its scores with what breaks ties.
        assert score == pytest.approx(expected.get(pair, 0.0), abs=1e-3)


def test_a_pipeline_adds_it_up(tiny_encoder, data, tmp_path):  # noqa: F811
    recipe, run = tmp_path / "recipe.toml", tmp_path / "run"
    text = with_teacher(tiny_encoder, "cross-encoder")
    recipe.write_text(f'{text}\n[combination]\nscores = ["teacher", "bm25-lexicon"]\n')
    start = ["train", str(recipe), "--data", str(data), "--output"]
    done = CliRunner().invoke(main, [*start, str(run)])
    assert done.exit_code == 0, done.output
    record = json.loads((run / "encoder" / "training.json").read_text())["stages"]["1-weigh"]
    # The river's name is in question and passage, in either language.
    assert record["weights"]["bm25-lexicon"] > 0
    assert record["first"]["sum"]["all"] > 0.3
    combined = list(read_candidates(run / "1-combine" / "part-00000.jsonl.gz"))
    assert len({item.score for row in combined for item in row.candidates}) > 10


def test_student_and_dictionary_teach_without_a_teacher(tiny_encoder, data, tmp_path):  # noqa: F811
    recipe, run = tmp_path / "recipe.toml", tmp_path / "run"
    text = with_teacher(tiny_encoder, "cross-encoder")
    head, distillation = text.split("[teacher]")[0], text.split("[distillation]")[1]
    scores = '[combination]\nscores = ["student", "bm25-lexicon"]'
    recipe.write_text(f"{head}[distillation]{distillation.replace('alpha = 0.0', 'alpha = 1.0')}\n{scores}\n")
    start = ["train", str(recipe), "--set", "generation.source=twins"]
    done = CliRunner().invoke(main, [*start, "--data", str(data), "--output", str(run)])
    assert done.exit_code == 0, done.output
    stages = json.loads((run / "encoder" / "training.json").read_text())["stages"]
    expected = [
        "student",
        "1-mine",
        "1-check-teacher",
        "1-generate",
        "1-weigh",
        "1-combine",
        "1-combine-generated",
    ]
    assert list(stages) == [*expected, "1-distil"]
    assert list(stages["1-weigh"]["weights"]) == ["student", "bm25-lexicon"]
    assert "teacher" not in stages["1-check-teacher"]
    assert stages["1-distil"]["generated"] > 0
    plan = CliRunner().invoke(main, [*start, "--dry-run"]).output
    assert [name for name in expected[1:] if f"| {name} " not in plan] == []
    refused = CliRunner().invoke(
        main, ["train", str(recipe), "--dry-run", "--set", 'combination.scores=["teacher"]']
    )
    assert refused.exit_code == 2
