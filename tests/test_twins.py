"""Questions that are the same in several languages: which are found, and a teacher that reads the English."""

import gzip
import json

import numpy as np
import pytest
from click.testing import CliRunner
from test_combination import PASSAGES, Counting
from test_teacher_only import BASE, KINDS, data  # noqa: F401

from qgdr_pyserini.cli.main import main
from qgdr_pyserini.collection.tevatron import Candidate, CandidateList, read_candidates, write_candidates
from qgdr_pyserini.errors import InputError
from qgdr_pyserini.model.teachers import load_teacher
from qgdr_pyserini.train.recipe_settings import DataSettings, TeacherRecipe
from qgdr_pyserini.train.steps import as_it_is, score_file, score_rows
from qgdr_pyserini.train.training_data import read_training_data
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
    recipe.write_text(BASE.format(student=tiny_encoder, kind=kind, configuration=KINDS[kind]))
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
