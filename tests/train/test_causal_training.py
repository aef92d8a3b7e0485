"""Causal teachers in recipes: both losses fall, the pipeline runs, plans are made, LoRA is merged."""

import dataclasses
import importlib.util
import json

import hub_layouts
import numpy as np
import pytest
from click.testing import CliRunner
from training_slices import every_stage

from qgdr_pyserini.cli.main import main
from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.collection.tevatron import Candidate, CandidateList
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.causal_generator import CausalGenerator
from qgdr_pyserini.model.loading import ModelSource
from qgdr_pyserini.model.query_generator import GeneratorSettings
from qgdr_pyserini.model.teacher import Query
from qgdr_pyserini.model.teachers import load_teacher
from qgdr_pyserini.train.plan import checkpoint_size
from qgdr_pyserini.train.stages import Done, read_parts
from qgdr_pyserini.train.teacher import (
    LoraSettings,
    ReadyTeacher,
    TeacherRecipe,
    add_low_rank,
)
from qgdr_pyserini.train.teacher_training import (
    GenerationLossSettings,
    RankingSettings,
    query_writings,
    train_ranker,
    train_writer,
)

RIVERS = ["Danube", "Rhine", "Elbe", "Volga"]
QUESTIONS = {"de": "Wo entspringt {}?", "en": "Where does the {} rise?"}
PASSAGES = [
    Passage(river, river, f"The {river} rises in the hills and flows to the sea.") for river in RIVERS
]
ROWS = [
    CandidateList(
        f"{river.docid}-{lang}",
        question.format(river.title),
        (Candidate(river),),
        tuple(Candidate(other) for other in PASSAGES if other is not river),
        lang,
    )
    for river in PASSAGES
    for lang, question in QUESTIONS.items()
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return hub_layouts.causal(tmp_path_factory.mktemp("hub") / "qwen2")


@pytest.fixture
def generator(folder):
    return CausalGenerator.load(ModelSource(checkpoint=str(folder)))


def test_both_losses_fall(generator, tmp_path):
    text = GenerationLossSettings(steps=20, batch_size=8, learning_rate=5e-3)
    log = train_writer(generator, query_writings(ROWS, generator), text, 0, tmp_path / "write")
    assert log[-1]["loss"] < 0.7 * log[0]["loss"]
    ranking = RankingSettings(steps=20, batch_size=4, candidates=4, learning_rate=5e-3, temperature=0.1)
    log = train_ranker(generator, ROWS, ranking, 0, tmp_path / "rank")
    assert np.mean([row["loss"] for row in log[-3:]]) < 0.8 * log[0]["loss"]


@pytest.mark.parametrize("kind", ["qwen2", "gpt2"])
def test_low_rank_additions_are_trained_alone_and_merged(folder, kind, tmp_path):
    pytest.importorskip("peft")
    checkpoint = folder if kind == "qwen2" else hub_layouts.causal(tmp_path / kind, kind)
    generator = CausalGenerator.load(ModelSource(checkpoint=str(checkpoint)))
    before = {name: weight.clone() for name, weight in generator.model.state_dict().items()}
    queries, passages = [Query(row.query, row.lang) for row in ROWS[:2]], PASSAGES[:2]
    untrained = generator.score(queries, passages)
    merge = add_low_rank(generator.model, LoraSettings(rank=4, alpha=8.0), seed=1)
    np.testing.assert_allclose(generator.score(queries, passages), untrained, rtol=0, atol=1e-5)
    trained = [name for name, weight in generator.named_parameters() if weight.requires_grad]
    assert trained
    assert all("lora_" in name for name in trained)
    text = GenerationLossSettings(steps=10, batch_size=8, learning_rate=1e-2)
    log = train_writer(generator, query_writings(ROWS, generator), text, 0, tmp_path / "write")
    assert log[-1]["loss"] < log[0]["loss"] - 0.05
    scores = generator.score(queries, passages)
    merge()
    after = generator.model.state_dict()
    assert after.keys() == before.keys()
    assert any(not after[name].equal(before[name]) for name in before)
    generator.save_pretrained(tmp_path / "saved")
    loaded = load_teacher(str(tmp_path / "saved"))
    np.testing.assert_allclose(loaded.score(queries, passages), scores, rtol=0, atol=1e-4)
    with pytest.raises(QgdrError, match="the teacher has no layer nowhere"):
        add_low_rank(loaded.model, LoraSettings(target_modules=["nowhere"]), seed=1)


def test_without_peft_a_recipe_with_low_rank_additions_is_one_line(recipe, tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "peft" else find(name))
    recipe.write_text(recipe.read_text() + "\n[teacher.lora]\nrank = 4\n")
    arguments = ["train", str(recipe), "--data", str(tmp_path), "--output", str(tmp_path / "run")]
    result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert "pip install peft" in result.stderr
    assert CliRunner().invoke(main, ["train", str(recipe), "--dry-run"]).exit_code == 0


@pytest.fixture
def recipe(tmp_path):
    """Every stage of the method, with a Llama for a teacher."""

    def llama(folder, texts):
        return hub_layouts.causal(folder, "llama", texts)

    return every_stage(tmp_path, llama, iterations="iterations = 1")


def test_a_recipe_with_a_causal_teacher_is_planned_and_run(recipe, invented_folder, tmp_path):
    planned = CliRunner().invoke(main, ["train", str(recipe), "--dry-run"])
    assert planned.exit_code == 0, planned.output
    assert "| teacher-ranking " in planned.output
    run = tmp_path / "run"
    arguments = ["train", str(recipe), "--data", str(invented_folder), "--output", str(run)]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    assert isinstance(load_teacher(str(run / "teacher-ranking" / "model")), CausalGenerator)
    scored = list(read_parts(run / "1-score"))
    assert all(np.isfinite(item.score) for row in scored for item in row.candidates)
    record = json.loads((run / "encoder" / "training.json").read_text())["stages"]
    assert record["1-distil"]["generated"] == record["1-generate"]["queries"] > 0


def test_an_untrained_teacher_scores_with_what_the_recipe_says_else_with_what_was_saved(generator, tmp_path):
    generator.settings = GeneratorSettings(prompt="Saved: {text}")
    generator.save_pretrained(tmp_path / "saved")
    source = ModelSource(checkpoint=str(tmp_path / "saved"))
    asked = GeneratorSettings(prompt="{language}: {text}")
    silent = ReadyTeacher(TeacherRecipe(kind="query-generator", source=source), source)
    said = ReadyTeacher(TeacherRecipe(kind="query-generator", source=source, generator=asked), source)
    assert silent.load().settings.prompt == "Saved: {text}"
    assert said.load().settings.prompt == "{language}: {text}"
    # A stage that scores is made anew for another prompt, unless the teacher's own stages tell.
    assert silent.fingerprint != said.fingerprint
    trained = [
        dataclasses.replace(one, trained=True, stage=Done("teacher", tmp_path, "x", {}))
        for one in (silent, said)
    ]
    assert trained[0].fingerprint == trained[1].fingerprint
    wrong = ReadyTeacher(TeacherRecipe(kind="cross-encoder", source=source), source)
    with pytest.raises(QgdrError, match="has no trained head"):
        wrong.load()


def test_decoders_are_sized_with_and_without_a_head_of_their_own(folder, tmp_path):
    for checkpoint in (folder, hub_layouts.causal(tmp_path / "llama", "llama")):
        size = checkpoint_size(str(checkpoint))
        model = CausalGenerator.load(ModelSource(checkpoint=str(checkpoint))).model
        assert size is not None
        assert size.parameters == sum(weight.numel() for weight in model.parameters())
        assert not size.two_ends
