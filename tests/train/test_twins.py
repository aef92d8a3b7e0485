"""Questions that are the same in several languages: which are found, and a teacher that reads the English."""

import gzip
import json

import numpy as np
import pytest
from click.testing import CliRunner
from test_combination import PASSAGES, Counting
from test_teacher_only import KINDS, data, with_teacher  # noqa: F401
from test_unlabelled import folder  # noqa: F401

from qgdr_pyserini.cli.main import main
from qgdr_pyserini.collection.tevatron import Candidate, CandidateList, read_candidates, write_candidates
from qgdr_pyserini.errors import InputError
from qgdr_pyserini.losses.alignment import AgreementSettings
from qgdr_pyserini.model.teachers import load_teacher
from qgdr_pyserini.train.aligned_queries import twin_rows
from qgdr_pyserini.train.data import DataSettings, read_training_data
from qgdr_pyserini.train.distillation_batches import align
from qgdr_pyserini.train.generation import GenerationSettings
from qgdr_pyserini.train.scores import as_it_is, score_rows
from qgdr_pyserini.train.steps import score_file
from qgdr_pyserini.train.teacher import TeacherRecipe
from qgdr_pyserini.train.twins import Asked, Translated, Twins, find_twins, read_translations, reading_english


def row(query_id, lang, text, docid=0):
    negatives = tuple(Candidate(PASSAGES[i]) for i in (4, 5))
    return CandidateList(query_id, text, (Candidate(PASSAGES[docid]),), negatives, lang)


ASKED = [
    Asked("a", "p0", "en", "How long is it?"),
    Asked("a", "p0", "da", "Hvor lang er den?"),
    Asked("a", "p1", "es", "¿Otra?"),
    Asked("nq-7", "p2", "en", "who was it"),
    Asked("nq-7", "p2", "zh", "是谁"),
]
TRANSLATED = [
    Translated("fi", "kuka?", "who was it"),
    Translated("fi", "kuka?", "who else"),
    Translated("da", "Hvor lang er den?", "how long"),
]


def test_twins_are_found_by_id_and_by_text():
    twins = Twins(ASKED, TRANSLATED)
    assert twins.english(row("a-da", "da", "Hvor lang er den?")) == "How long is it?"
    # Another passage is another question, whatever its id; its text has a translation.
    assert twins.english(row("a-da", "da", "Hvor lang er den?", 3)) == "how long"
    assert twins.english(row("a-es", "es", "¿Otra?", 1)) is None
    assert twins.english(row("nq-7-zh_cn", "zh", "是谁", 2)) == "who was it"
    assert twins.english(row("x", "fi", "kuka?")) == "who was it"
    assert twins.english(row("nq-7", "en", "who was it", 2)) is None
    assert twins.all_of(row("nq-7", "en", "who was it", 2)) == {"fi": "kuka?", "zh": "是谁"}
    assert twins.all_of(row("nq-7-zh_cn", "zh", "是谁", 2)) == {"en": "who was it", "fi": "kuka?"}
    assert twins.all_of(row("x", "sw", "nani?")) == {}
    rows = [row("a-da", "da", "Hvor lang er den?"), row("x", "fi", "kuka?"), row("y", "fi", "mitä?")]
    assert twins.in_english(rows) == {"da": 1, "fi": 1}


def test_the_teacher_scores_the_english_twin_once():
    rows = [row("a-da", "da", "Hvor lang er den?"), row("a-en", "en", "How long is it?"), row("z", "zu", "?")]
    teacher = Counting()
    scored = score_rows(rows, teacher, reading_english(Twins(ASKED, TRANSLATED), as_it_is))
    assert {query for query, _ in teacher.asked} == {("How long is it?", "en"), ("?", "zu")}
    assert len(teacher.asked) == 6
    danish, english, _ = ([item.score for item in one.candidates] for one in scored)
    assert danish == english
    assert [one.query for one in scored] == [one.query for one in rows]


def test_translations_are_read_from_a_file(tmp_path):
    file = tmp_path / "translations.tsv.gz"
    file.write_bytes(gzip.compress(b"da\tHvor lang er den?\tHow long is it?\n"))
    write_candidates(tmp_path / "rows.jsonl", [row("q", "da", "Hvor lang er den?"), row("r", "da", "Hvad?")])
    teacher = Counting()
    score_file(tmp_path / "rows.jsonl", tmp_path / "out.jsonl", teacher, translations=file)
    assert {query for query, _ in teacher.asked} == {("How long is it?", "en"), ("Hvad?", "da")}
    (tmp_path / "bad.tsv").write_text("da\tHvad?\n")
    with pytest.raises(InputError, match=r"bad.tsv:1: needs language, question and English"):
        list(read_translations(tmp_path / "bad.tsv"))


def test_translations_without_a_teacher_that_reads_english_are_refused():
    with pytest.raises(ValueError, match="set reads = 'english'"):
        TeacherRecipe(kind="cross-encoder", source={"checkpoint": "x"}, translations="y.tsv")


def test_real_data_have_twins(shared_data):
    found = read_training_data(shared_data / "train", DataSettings(), 0.1)
    twins = find_twins(found)
    count = twins.in_english(found.rows)
    for lang in ("it", "bem", "zu", "fi", "zh"):
        assert count[lang] == sum(one.lang == lang for one in found.rows), lang
    assert count["da"] > 5000
    italian = next(one for one in found.rows if one.lang == "it")
    english = next(one for one in found.rows if one.query_id == f"{italian.query_id.removesuffix('-it')}-en")
    assert twins.english(italian) == english.query
    assert twins.all_of(english)["it"] == italian.query


@pytest.mark.parametrize("kind", KINDS)
def test_a_pipelines_teacher_reads_english(kind, tiny_encoder, data, tmp_path):  # noqa: F811
    recipe, run = tmp_path / "recipe.toml", tmp_path / "run"
    recipe.write_text(with_teacher(tiny_encoder, kind))
    more = ["--set", "teacher.reads=english"]
    done = CliRunner().invoke(main, ["train", str(recipe), "--data", str(data), "--output", str(run), *more])
    assert done.exit_code == 0, done.output
    scored = {one.query_id: one for one in read_candidates(run / "1-score" / "part-00000.jsonl.gz")}
    record = json.loads((run / "encoder" / "training.json").read_text())["stages"]["1-score"]
    assert record["read_in_english"] == {"de": sum(one.lang == "de" for one in scored.values())}
    teacher = load_teacher(str(run / "teacher-ranking" / "model"))
    german = next(one for one in scored.values() if one.lang == "de")
    english = scored[german.query_id.removesuffix("-de") + "-en"]
    expected = teacher.score([as_it_is(english)], [item.passage for item in german.candidates])[0]
    np.testing.assert_allclose([item.score for item in german.candidates], expected, atol=1e-4)


def test_twins_are_aligned_with_their_candidates_in_the_languages_asked_for():
    twins = Twins(ASKED, TRANSLATED)
    source = row("nq-7", "en", "who was it", 2)
    bare = CandidateList("u", "who was it", (), source.candidates, "en")

    def made(one=source, **settings):
        return twin_rows([one], twins, GenerationSettings(source="twins", **settings), seed=0)

    assert [one.query for one in made()] == ["kuka?", "是谁"]
    assert [one.lang for one in made(languages=["zh", "sw", "fi"])] == ["zh", "fi"]
    assert len(made(languages_per_query=1)) == 1
    assert made(languages=["sw"]) == []
    (finnish, chinese), (alone,) = made(), made(bare)
    assert (finnish.query_id, finnish.aligned_with) == ("nq-7.fi.twin", "nq-7")
    assert finnish.candidates == source.candidates
    assert alone.candidates == bare.candidates
    assert alone.positives == ()
    # A teacher that reads English reads the same of both, also where only an id made them twins.
    rows = score_rows([source, finnish, chinese], Counting(), reading_english(twins, as_it_is))
    assert rows[1].candidates == rows[2].candidates == rows[0].candidates
    assert {one.language for one in align(rows[:1], rows[1:], AgreementSettings())["nq-7"]} == {"fi", "zh"}


@pytest.mark.parametrize(("kind", "source"), [("cross-encoder", "twins"), ("query-generator", "both")])
def test_a_pipeline_aligns_twins(kind, source, tiny_encoder, folder, tmp_path):  # noqa: F811
    recipe, run = tmp_path / "recipe.toml", tmp_path / "run"
    recipe.write_text(with_teacher(tiny_encoder, kind))
    values = [
        "distillation.alpha=1.0",
        "distillation.alignment.threshold=-1.0",
        f"generation.source={source}",
        "data.unlabelled_per_language=3",
        "combination.weights={student = 15, teacher = 1}",
    ]
    values += ['generation.languages=["de", "fi"]'] if source == "both" else []
    more = [item for value in values for item in ("--set", value)]
    arguments = ["train", str(recipe), "--data", str(folder), "--output", str(run), *more]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    mined = {one.query_id: one for one in read_candidates(run / "1-mine" / "mined.jsonl.gz")}
    aligned = list(read_candidates(run / "1-combine-generated" / "part-00000.jsonl.gz"))
    twins = [one for one in aligned if one.query_id.endswith(".twin")]
    assert (len(twins) < len(aligned)) == (source == "both")
    languages = {"de", "fi"} | ({"en"} if source == "twins" else set())
    assert {one.lang for one in twins} == languages
    assert any(not one.positives for one in twins)
    for one in twins:
        own = mined[one.aligned_with]
        assert one.lang != own.lang
        docids = [[item.passage.docid for item in each.candidates] for each in (one, own)]
        assert docids[0] == docids[1]
    record = json.loads((run / "encoder" / "training.json").read_text())["stages"]
    assert sum(record["1-generate"]["languages"].values()) == len(aligned)
    plan = CliRunner().invoke(main, [*arguments[:2], *more, "--dry-run"])
    assert ("twins in all languages" in plan.output) == (source == "twins")


def test_what_alignment_needs_is_named(tiny_encoder, tmp_path):
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(with_teacher(tiny_encoder, "cross-encoder"))
    start = ["train", str(recipe), "--dry-run", "--set", "distillation.alpha=1.0", "--set"]
    for value, problem in (
        ("generation.source=both", "needs a teacher of kind 'query-generator'"),
        ("generation.source=generated", "or generation.source 'twins'"),
        ("generation.source=translated", "generation.source"),
    ):
        done = CliRunner().invoke(main, [*start, value])
        assert (done.exit_code, problem in done.stderr) == (2, True)
    assert CliRunner().invoke(main, [*start, "generation.source=twins"]).exit_code == 0
