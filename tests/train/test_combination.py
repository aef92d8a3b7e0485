"""Teachers that add up: weights fitted to labels, sums, scores that are kept, and the pipeline's stages."""

import json
import math

import hub_layouts
import numpy as np
import pytest
from click.testing import CliRunner
from test_teacher_only import KINDS, data, with_teacher  # noqa: F401

from qgdr_pyserini.cli.main import main
from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.collection.tevatron import Candidate, CandidateList, read_candidates, write_candidates
from qgdr_pyserini.errors import InputError, QgdrError
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.loading import ModelSource
from qgdr_pyserini.model.teacher import Query, Teacher
from qgdr_pyserini.model.teachers import DualEncoderTeacher, load_scorer
from qgdr_pyserini.train.combination import CombinationSettings, combine, fit, fit_weights, quality
from qgdr_pyserini.train.scores import read_scores, score_rows, write_scores
from qgdr_pyserini.train.scoring import LoadedWhenAsked
from qgdr_pyserini.train.teacher import ReadyTeacher, TeacherRecipe

PASSAGES = [Passage(f"p{i}", f"River {i}", f"it is {i * 100} km long") for i in range(8)]


def drawn(weights, questions=3000, candidates=8, seed=0):
    """Scores and labels that follow the model: the positive has the greatest sum with Gumbel noise."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(questions, candidates, len(weights))) * [0.05, 1.0, 10.0][: len(weights)]
    best = (scores @ np.array(weights) + rng.gumbel(size=(questions, candidates))).argmax(axis=1)
    for one, place in zip(scores, best, strict=True):
        one[[0, place]] = one[[place, 0]]
    return scores


def rows(scores, lang="de"):
    return [
        CandidateList(
            f"q{i}", f"river {i}?", (Candidate(PASSAGES[0], own[0]),),
            tuple(Candidate(PASSAGES[j], own[j]) for j in range(1, len(own))), lang,
        )
        for i, own in enumerate(scores.tolist())
    ]  # fmt: skip


def test_weights_of_made_data_are_recovered():
    scores = drawn([30.0, 2.0])
    mask = np.ones(scores.shape[:2], dtype=bool)
    assert fit_weights(scores, mask) == pytest.approx([30, 2], rel=0.06)
    # Units are those of the scores, and what is the same for all candidates of a question counts nothing.
    moved = scores * [100.0, 1.0] + np.random.default_rng(1).normal(size=(len(scores), 1, 2))
    assert fit_weights(moved, mask) == pytest.approx([0.3, 2], rel=0.06)
    padded = np.concatenate([scores, np.full((len(scores), 2, 2), 99.0)], axis=1)
    real = np.arange(10) < np.full((len(scores), 1), 8)
    assert fit_weights(padded, real) == pytest.approx(fit_weights(scores, mask), rel=1e-4)


def test_weights_are_never_negative_and_always_finite():
    scores = drawn([30.0, 2.0])
    scores[:, :, 1] *= -1
    weights = fit_weights(scores, np.ones(scores.shape[:2], dtype=bool))
    assert weights[0] > 0
    assert weights[1] == 0
    certain = np.tile([[[1.0, 5.0], [0.0, 5.0]]], (4, 1, 1))
    weights = fit_weights(certain, np.ones((4, 2), dtype=bool))
    assert 1 < weights[0] < 100
    assert weights[1] == 0


def test_the_sum_is_of_raw_scores_and_better_than_its_parts():
    scores = drawn([30.0, 2.0], questions=800)
    parts = {"student": rows(scores[:, :, 0]), "teacher": rows(scores[:, :, 1])}
    weights = fit(parts)
    assert list(weights) == ["student", "teacher"]
    first = next(combine(parts, {"student": 2.0, "teacher": 3.0}))
    assert [item.score for item in first.candidates] == pytest.approx(scores[0] @ [2, 3])
    found = quality(parts, weights)
    assert found["questions"] == 800
    nll, hits = found["negative_log_likelihood"], found["first"]
    assert list(nll) == list(hits) == ["student", "teacher", "sum"]
    assert nll["sum"]["all"] < min(nll["student"]["all"], nll["teacher"]["all"]) < math.log(8)
    assert hits["sum"]["de"] > max(hits["student"]["de"], hits["teacher"]["de"])


def test_queries_that_say_nothing_are_left_out_of_the_fit_and_kept_in_the_sum():
    scores = drawn([30.0, 2.0], questions=200)
    bare = CandidateList("x", "y", (), (Candidate(PASSAGES[0], 1.0),), "de")
    parts = {"a": rows(scores[:, :, 0]), "b": rows(scores[:, :, 1])}
    more = {name: [bare, *own] for name, own in parts.items()}
    assert fit(more) == pytest.approx(fit(parts))
    assert next(combine(more, {"a": 1.0, "b": 2.0})).candidates[0].score == 3.0
    with pytest.raises(QgdrError, match="no held-out query has both"):
        fit({"a": [bare]})


def test_parts_that_do_not_belong_together_are_named():
    scores = drawn([30.0, 2.0], questions=3)
    one, two = rows(scores[:, :, 0]), rows(scores[:, :, 1])
    with pytest.raises(QgdrError, match="a, b: hold different numbers of queries"):
        list(combine({"a": one, "b": two[:2]}, {"a": 1.0, "b": 1.0}))
    with pytest.raises(QgdrError, match="b: query 'q2' stands where a has 'q0'"):
        list(combine({"a": one, "b": two[::-1]}, {"a": 1.0, "b": 1.0}))
    bare = [CandidateList("q0", "x", (Candidate(PASSAGES[0]),))]
    with pytest.raises(QgdrError, match="a: query 'q0' has a candidate without a score"):
        list(combine({"a": bare}, {"a": 1.0}))


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"scores": ["student", "bm25"]}, "no score 'bm25'"),
        ({"scores": ["student", "student"]}, "names one twice"),
        ({"others": {"x": "y"}}, "'others' has 'x', which 'scores' leaves out"),
        ({"others": {"sum": "y"}}, "a name that is taken"),
        ({"weights": {"student": 1.0}}, "needs one for each"),
        ({"weights": {"student": 1.0, "teacher": -1.0}}, "must not be below 0"),
    ],
)
def test_settings_that_do_not_fit_are_named(values, problem):
    with pytest.raises(ValueError, match=problem):
        CombinationSettings(**values)


class Counting(Teacher):
    """Scores by the lengths of the texts, and keeps what it was asked."""

    def __init__(self):
        self.asked = []

    def score_pairs(self, queries, passages, pairs):
        self.asked += [(queries[q], passages[p]) for q, p in pairs]
        return np.array([len(queries[q].text) + len(passages[p].text) for q, p in pairs], dtype=np.float32)


def test_scores_that_are_known_are_not_computed_again(tmp_path):
    bare = rows(np.zeros((3, 4)))
    teacher = Counting()
    scored = score_rows(bare, teacher)
    assert len(teacher.asked) == 12
    assert write_scores(tmp_path / "scores.tsv.gz", scored[:2]) == 8
    known = read_scores(tmp_path / "scores.tsv.gz")
    again = Counting()
    assert score_rows(bare, again, known=known) == scored
    assert [query.text for query, _ in again.asked] == ["river 2?"] * 4
    everything = Counting()
    assert score_rows(bare[:2], everything, known=known) == scored[:2]
    assert everything.asked == []
    # Equal questions about equal passages are one for the teacher.
    assert len(set(teacher.asked)) == 12
    english = Counting()
    score_rows(bare, english, lambda row: Query("river?", "en"))
    assert len(english.asked) == 4
    for line, problem in (("q p", "has 1 columns"), ("q\tp\tnan", "'nan' is not a finite number")):
        (tmp_path / "bad.tsv").write_text(line)
        with pytest.raises(InputError, match=problem):
            read_scores(tmp_path / "bad.tsv")


def test_a_teacher_that_need_not_be_asked_is_not_loaded(tmp_path):
    settings = TeacherRecipe(kind="query-generator", source=ModelSource(checkpoint=str(tmp_path)))
    teacher = LoadedWhenAsked(ReadyTeacher(settings, settings.source))
    bare = rows(np.zeros((2, 3)))
    known = {(row.query_id, item.passage.docid): 0.5 for row in bare for item in row.candidates}
    scored = score_rows(bare, teacher, known=known)
    assert {item.score for row in scored for item in row.candidates} == {0.5}
    with pytest.raises(QgdrError):
        score_rows(bare, teacher)


def test_a_dual_encoder_scores_by_inner_products(tiny_encoder):
    encoder = DualEncoder.from_pretrained(tiny_encoder)
    teacher = DualEncoderTeacher(encoder)
    queries = [Query("how long is it?"), Query("wo?", "de")]
    expected = encoder.encode_queries([query.text for query in queries]) @ encoder.encode_passages(
        [p.text for p in PASSAGES], [p.title for p in PASSAGES]
    ).T  # fmt: skip
    for _ in range(2):
        np.testing.assert_allclose(teacher.score(queries, PASSAGES), expected, atol=1e-5)
    assert teacher.score_pairs([], [], []).shape == (0,)
    assert isinstance(load_scorer(str(tiny_encoder)), DualEncoderTeacher)


def qgdr(*arguments):
    return CliRunner().invoke(main, list(map(str, arguments)))


def test_scores_are_combined_from_file_to_file(tiny_encoder, tmp_path):
    generator = hub_layouts.mt5(tmp_path / "mt5")
    write_candidates(tmp_path / "rows.jsonl", rows(np.zeros((6, 5))))
    for name, teacher in (("student", tiny_encoder), ("teacher", generator)):
        more = ("--scores-output", tmp_path / f"{name}.tsv.gz")
        done = qgdr("score", "--teacher", teacher, "--input", tmp_path / "rows.jsonl",
                    "--output", tmp_path / f"{name}.jsonl", *more)  # fmt: skip
        assert done.exit_code == 0, done.output
    files = [("--rows", f"{name}={tmp_path / name}.jsonl") for name in ("student", "teacher")]
    held = [("--fit", f"{name}={tmp_path / name}.jsonl") for name in ("teacher", "student")]
    start = ("combine-scores", *files[0], *files[1], "--output", tmp_path / "sum.jsonl.gz")
    done = qgdr(*start, "--weight", "student=15", "--weight", "teacher=1")
    assert done.output.splitlines()[0] == "weights: student 15, teacher 1"
    names = ("student.jsonl", "teacher.jsonl", "sum.jsonl.gz")
    one, two, both = (next(read_candidates(tmp_path / name)) for name in names)
    for a, b, c in zip(one.candidates, two.candidates, both.candidates, strict=True):
        assert c.score == pytest.approx(15 * a.score + b.score)
    done = qgdr(*start, *held[0], *held[1])
    assert done.exit_code == 0, done.output
    assert "negative log-likelihood of the positive, 6 held-out questions: student" in done.output
    known = qgdr("score", "--teacher", tiny_encoder, "--input", tmp_path / "rows.jsonl", "--output",
                 tmp_path / "again.jsonl", "--known", tmp_path / "student.tsv.gz")  # fmt: skip
    assert known.exit_code == 0, known.output
    for more, problem in (
        ((), "give either --weight or --fit"),
        (("--weight", "student=1"), "--weight needs the names of --rows: student, teacher"),
        (("--weight", "student=1", "--weight", "teacher=x"), "--weight teacher=x: needs a number"),
        (("--weight", "student"), "--weight needs NAME=…"),
    ):
        done = qgdr(*start, *more)
        assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1)
        assert problem in done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_a_sum_of_scores_is_distilled(kind, tiny_encoder, data, tmp_path):  # noqa: F811
    text = with_teacher(tiny_encoder, kind)
    names = 'scores = ["student", "teacher", "other"]'
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(f'{text}\n[combination]\n{names}\nothers = {{ other = "{tiny_encoder}" }}\n')
    run = ("train", recipe, "--data", data, "--output")
    done = qgdr(*run, tmp_path / "run")
    assert done.exit_code == 0, done.output
    record = json.loads((tmp_path / "run" / "encoder" / "training.json").read_text())["stages"]
    assert list(record)[-5:] == ["1-check-teacher", "1-score", "1-weigh", "1-combine", "1-distil"]
    weights = record["1-weigh"]["weights"]
    assert list(weights) == ["student", "teacher", "other"]
    assert set(record["1-weigh"]["first"]["sum"]) == {"all", "de", "en"}
    assert any(line.startswith("1-weigh: weights: student ") for line in done.stderr.splitlines())
    assert "## Scores added up" in (tmp_path / "run" / "encoder" / "README.md").read_text()
    scored, combined = (
        next(read_candidates(tmp_path / "run" / stage / "part-00000.jsonl.gz"))
        for stage in ("1-score", "1-combine")
    )
    student = score_rows([scored], load_scorer(str(tiny_encoder)))[0]
    for s, t, c in zip(student.candidates, scored.candidates, combined.candidates, strict=True):
        own = (weights["student"] + weights["other"]) * s.score + weights["teacher"] * t.score
        assert c.score == pytest.approx(own, abs=1e-4)

    kept = tmp_path / "run" / "1-score" / "scores.tsv.gz"
    more = ("--reuse", tmp_path / "run", "--set", f'teacher.known_scores=["{kept}"]',
            "--set", "combination.weights={student = 15, teacher = 1, other = 0}")  # fmt: skip
    done = qgdr(*run, tmp_path / "given", *more)
    assert done.exit_code == 0, done.output
    assert f"1-mine: taken from {tmp_path / 'run'}" in done.stderr
    assert "1-weigh: weights: student 15, teacher 1, other 0" in done.stderr
    again = next(read_candidates(tmp_path / "given" / "1-score" / "part-00000.jsonl.gz"))
    assert [item.score for item in again.candidates] == pytest.approx(
        [item.score for item in scored.candidates], rel=1e-5
    )
    plan = qgdr("train", recipe, "--dry-run")
    assert "weights of student, teacher, other: fitted to held-out queries" in plan.output
    refused = qgdr("train", recipe, "--dry-run", "--set", "holdout=0.0")
    assert "'combination' needs 'weights', or a 'holdout' above 0" in refused.stderr
