"""Training: data in, batches, loss, recipe, and the whole pipeline on a small set."""

import gzip
import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from qgdr_pyserini.collection.training_set import Translation, read_training_set
from qgdr_pyserini.errors import InputError, QgdrError
from qgdr_pyserini.losses.contrastive import contrastive_loss
from qgdr_pyserini.model import precision
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.train.data import split_by_article
from qgdr_pyserini.train.pairs import (
    ByLanguage,
    CodeSwitcher,
    PairSettings,
    SourcesSettings,
    draw_batch,
    pair_sources,
)
from qgdr_pyserini.train.pipeline import RunOptions, train_encoder
from qgdr_pyserini.train.plan import describe
from qgdr_pyserini.train.recipe import load_recipe, recipe_names
from qgdr_pyserini.train.stages import Stages
from qgdr_pyserini.train.student import first_student
from qgdr_pyserini.train.trainer import TrainingSettings, last_checkpoint, training_arguments

RIVERS = ["Danube", "Rhine", "Elbe", "Volga", "Tagus", "Loire", "Seine", "Rhone", "Ebro", "Po"]
RECIPE = """
name = "qgdr-rivers"
description = "A test"
seed = 3
holdout = 0.2

[student]
checkpoint = "{student}"

[negatives]
negatives = 3
depth = 8

[distillation]
steps = 12
batch_size = 4
candidates = 3
kd = 0.0
alpha = 0.0
beta = 1.0
save_steps = 4
"""


def write_gzip(path, lines):
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in lines)


@pytest.fixture
def training_folder(tmp_path):
    folder = tmp_path / "train"
    folder.mkdir()
    text = "The {0} rises in the high mountains and the {0} flows to the distant sea past many old towns"
    passages = [
        {"docid": f"p{i}", "title": river, "text": text.format(river), "source": "squad-dev"}
        for i, river in enumerate(RIVERS)
    ]
    queries = [
        {
            "query_id": f"q{i}-{lang}",
            "lang": lang,
            "query": query.format(river),
            "docid": f"p{i}",
            "source": "mkqa",
        }
        for i, river in enumerate(RIVERS)
        for lang, query in (("en", "Where does the {} rise?"), ("de", "Wo entspringt {}?"))
    ]
    write_gzip(folder / "passages.jsonl.gz", map(json.dumps, passages))
    write_gzip(folder / "queries.jsonl.gz", map(json.dumps, queries))
    write_gzip(folder / "question-translations.tsv.gz", ["de\tWo ist das?\tWhere is it?\tmkqa"] * 3)
    write_gzip(
        folder / "sentences.tsv.gz", [f"de\tDer {r} ist lang\tThe {r} is long\ttatoeba" for r in RIVERS]
    )
    write_gzip(folder / "lexicon.tsv.gz", ["de\tMeer\tsea\twiktionary", "zh\t海\tsea\twiktionary"])
    write_gzip(folder / "names.tsv.gz", ["ru\tДунай\tdanube\twikidata-names"])
    return folder


@pytest.fixture
def data(training_folder):
    return read_training_set(training_folder)


def test_contrastive_loss_equals_the_full_matrix_in_double_precision():
    generator = torch.Generator().manual_seed(1)
    queries, passages = (torch.randn(6, 5, generator=generator, dtype=torch.float64) for _ in range(2))
    keys = torch.tensor([0, 1, 0, 2, 3, 4])
    expected = []
    for scores in (queries @ passages.T / 0.1, passages @ queries.T / 0.1):
        for i in range(6):
            negatives = [j for j in range(6) if j == i or keys[j] != keys[i]]
            expected.append(torch.logsumexp(scores[i, negatives], 0) - scores[i, i])
    torch.testing.assert_close(contrastive_loss(queries, passages, keys, 0.1), torch.stack(expected).mean())


def test_contrastive_loss_has_the_right_gradient():
    queries = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    passages = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    keys = torch.tensor([0, 1, 1, 2])
    assert torch.autograd.gradcheck(lambda q, p: contrastive_loss(q, p, keys, 0.5), (queries, passages))


def test_small_languages_are_heard():
    rows = [Translation("de", str(i), "", "") for i in range(990)]
    rows += [Translation("yo", str(i), "", "") for i in range(10)]
    rng = np.random.default_rng(0)
    even = ByLanguage(rows, lambda row: row.lang, 0.0).draw(1000, rng)
    natural = ByLanguage(rows, lambda row: row.lang, 1.0).draw(1000, rng)
    assert 400 < sum(row.lang == "yo" for row in even) < 600
    assert sum(row.lang == "yo" for row in natural) < 40


def test_batches_of_pairs_depend_on_the_seed_alone_and_come_from_every_source(data):
    one = {"weight": 1.0, "batch_size": 4}
    settings = PairSettings(sources=dict.fromkeys(SourcesSettings.model_fields, one))
    sources = pair_sources(data, settings)
    drawn = [draw_batch(sources, np.random.default_rng([3, step])) for step in range(60)]
    assert drawn == [draw_batch(sources, np.random.default_rng([3, step])) for step in range(60)]
    assert all(len(batch) == 4 for batch in drawn)
    pairs = [pair for batch in drawn for pair in batch]
    contents = {docid: passage.contents for docid, passage in data.passages.items()}
    queries = {(row.query, row.docid) for row in data.queries}
    asked = [pair for pair in pairs if (pair.query, pair.key) in queries]
    assert asked
    assert all(pair.passage == contents[pair.key] for pair in asked)
    assert any(pair.query == pair.passage == contents.get(pair.key) for pair in pairs)
    for rows in (data.questions, data.sentences, data.lexicon, data.names):
        assert {(row.text, row.english) for row in rows} & {(pair.query, pair.passage) for pair in pairs}
    for pair in pairs:
        assert pair.translation == (pair.key not in contents)
    assert len(draw_batch(sources, np.random.default_rng(0), size=7)) == 7


def test_code_switching_keeps_unknown_words_and_joins_chinese_without_spaces():
    german = CodeSwitcher(
        [
            Translation("de", "entspringen", "to rise", ""),
            Translation("de", "Schwarzes Meer", "black sea", ""),
        ],
        1.0,
    )
    assert (
        german.switch("Danube rises, Black Sea", np.random.default_rng(0))
        == "Danube entspringen , Schwarzes Meer"
    )
    chinese = CodeSwitcher(
        [Translation("zh", "黑海", "black sea", ""), Translation("zh", "深", "deep", "")], 1.0
    )
    assert chinese.switch("deep black sea", np.random.default_rng(0)) == "深黑海"


def test_asking_a_switcher_does_not_change_it():
    switcher = CodeSwitcher([Translation("de", "Haus", "house", "")], 1.0)
    before = {lang: dict(words) for lang, words in switcher._lexicons.items()}
    switcher.switch("a house nobody has ever heard of", np.random.default_rng(0))
    assert {lang: dict(words) for lang, words in switcher._lexicons.items()} == before


def test_held_out_articles_are_in_no_training_pair(data):
    split = split_by_article(data, 0.3)
    held = {row.docid for row in split.held_out}
    assert 0 < len(held) < len(data.passages)
    assert held.isdisjoint(split.training.passages)
    assert held.isdisjoint(row.docid for row in split.training.queries)
    assert len(split.held_out) + len(split.training.queries) == len(data.queries)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("distillation.step=3", "did you mean 'steps'"),
        ("pairs.sources.sentence.weight=1", "did you mean 'sentences'"),
        ("distillation.steps=many", "distillation.steps"),
        ("distillation.steps=-1", "greater than or equal to 1"),
        ("holdout=1.5", "holdout"),
        ("name=other", "name"),
        ("steps", "needs key=value"),
        ("seed.x=1", "is a value"),
    ],
)
def test_wrong_settings_name_the_key(override, message):
    with pytest.raises(QgdrError, match=message):
        load_recipe("qgdr", [override])


def test_missing_settings_and_recipes_are_named(tmp_path):
    (tmp_path / "recipe.toml").write_text('name = "qgdr-x"\n')
    with pytest.raises(InputError, match="needs the key 'description'"):
        load_recipe(str(tmp_path))
    with pytest.raises(QgdrError, match=r"no recipe 'qgdr-none'; known: .*qgdr"):
        load_recipe("qgdr-none")


def test_every_recipe_has_a_plan():
    assert len(recipe_names()) >= 7
    for name in recipe_names():
        recipe = load_recipe(name)
        plan = describe(recipe)
        assert plan.startswith(f"recipe {name}, seed {recipe.seed}")
        assert "FLOPs" in plan
    assert "1-score-generated" in describe(load_recipe("qgdr-xor-tydi"))


def test_a_plan_counts_the_queries_that_are_there(training_folder):
    plan = describe(load_recipe("qgdr-contrastive", ["holdout=0.0"]), training_folder)
    assert "estimated" in plan.lower()
    assert "20 queries" in plan


def test_recipes_extend_each_other_but_not_in_a_ring(tmp_path):
    for name, base in (("qgdr-a", "qgdr-contrastive"), ("qgdr-b", "qgdr-a"), ("qgdr-c", "qgdr-c")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "recipe.toml").write_text(f'extends = "{base}"\nname = "{name}"\n')
    with (tmp_path / "qgdr-b" / "recipe.toml").open("a") as file:
        file.write("[distillation]\nsteps = 7\n")
    own, shipped = load_recipe(str(tmp_path / "qgdr-b")), load_recipe("qgdr-contrastive")
    assert own.name == "qgdr-b"
    assert own.distillation.steps == 7
    assert own.distillation.learning_rate == shipped.distillation.learning_rate
    with pytest.raises(InputError, match="extends itself"):
        load_recipe(str(tmp_path / "qgdr-c"))


def test_the_comparison_differs_in_the_lines_that_matter():
    base, generator, total, alignment, cross = (
        load_recipe(f"qgdr-{name}").model_dump()
        for name in ("contrastive", "generator", "sum", "alignment", "cross-encoder")
    )
    for other in (generator, total, alignment, cross):
        same = {"data", "student", "pairs", "negatives", "seed", "holdout", "iterations", "warmup"}
        assert {key: other[key] for key in same} == {key: base[key] for key in same}
        for key in ("steps", "batch_size", "candidates", "learning_rate", "beta", "anchor"):
            assert other["distillation"][key] == base["distillation"][key]
    assert alignment["teacher"] == total["teacher"] == generator["teacher"]
    assert alignment["combination"] == total["combination"]
    assert cross["teacher"]["reads"] == generator["teacher"]["reads"]


@pytest.mark.parametrize(
    ("name", "override", "message"),
    [
        (
            "qgdr-contrastive",
            "distillation.kd=1.0",
            "distillation with 'kd' or 'alpha' above 0 needs 'teacher'",
        ),
        ("qgdr-cross-encoder", "distillation.alpha=1.0", "'alpha' above 0 needs a teacher of kind"),
        ("qgdr-xor-tydi", "generation.languages=[]", "'alpha' above 0 needs 'generation.languages'"),
        ("qgdr-xor-tydi", "warmup.kd=1.0", "warmup has no teacher yet"),
        ("qgdr-xor-tydi", "student.checkpoint=", "student.checkpoint: String should have at least 1"),
        ("qgdr-generator", "teacher.from_student=true", "a query generator is no encoder; name its 'source'"),
        ("qgdr-cross-encoder", "teacher.from_student=false", "starts from its 'source', or from the student"),
        ("qgdr-cross-encoder", "teacher.generation.steps=3", "teacher: a cross-encoder writes no text"),
        (
            "qgdr-generator",
            "teacher.sorce.checkpoint=x",
            "unknown key 'teacher.sorce'; did you mean 'source'",
        ),
        ("qgdr", "distillation.candidates=1", "'candidates' must be 2 or more where 'kd' or 'alpha'"),
        (
            "qgdr-xor-tydi",
            "distillation.code_switched=0.5",
            "'code_switched' needs 'pairs', and data of format 'training-set'",
        ),
        ("qgdr-xor-tydi", "data.corpus=", "data: format 'tevatron' needs 'queries' and 'corpus'"),
    ],
)
def test_contradictions_in_a_recipe_are_named(name, override, message):
    with pytest.raises(QgdrError, match=message):
        load_recipe(name, [override])


@pytest.mark.parametrize(
    ("name", "line", "message"),
    [
        ("passages.jsonl.gz", '{"docid": "x", "title": 1, "text": "t", "source": "s"}', "1: needs 'title'"),
        (
            "queries.jsonl.gz",
            '{"query_id": "q", "lang": "de", "query": "x", "docid": "nowhere", "source": "s"}',
            "docid 'nowhere' is not in",
        ),
        ("sentences.tsv.gz", "de\tonly two", "1: has 2 columns"),
        ("sentences.tsv.gz", "\tEin Satz\tA sentence\tx", "1: empty language or text"),
        (
            "queries.jsonl.gz",
            '{"query_id": "q", "lang": "", "query": "x", "docid": "p1", "source": "s"}',
            "1: empty language or query",
        ),
        ("lexicon.tsv.gz", None, "no such file"),
    ],
)  # fmt: skip
def test_malformed_training_files_are_named(training_folder, name, line, message):
    (training_folder / name).unlink()
    if line is not None:
        write_gzip(training_folder / name, [line])
    with pytest.raises(InputError, match=f"{name}.*{message}"):
        read_training_set(training_folder)


def test_a_checkpoint_that_a_kill_left_unfinished_is_passed_over(tmp_path):
    assert last_checkpoint(tmp_path / "nothing") is None
    states = {4: '{"global_step": 4}', 8: '{"global_step": 8}', 12: '{"glob', 16: None}
    for step, state in states.items():
        (tmp_path / f"checkpoint-{step}").mkdir()
        (tmp_path / f"checkpoint-{step}" / "model.safetensors").write_bytes(b"weights")
        if state is not None:
            (tmp_path / f"checkpoint-{step}" / "trainer_state.json").write_text(state)
    assert last_checkpoint(tmp_path) == str(tmp_path / "checkpoint-8")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-4", "checkpoint-8"]


def test_training_resumes_to_the_same_weights(training_folder, tiny_encoder, tmp_path):
    (tmp_path / "recipe.toml").write_text(RECIPE.format(student=tiny_encoder))
    recipe = load_recipe(str(tmp_path))
    whole = train_encoder(recipe, training_folder, tmp_path / "whole")
    encoder = DualEncoder.from_pretrained(whole)
    assert encoder.encode_queries(["Wo entspringt Danube?"]).shape == (1, 32)
    card = (whole / "README.md").read_text()
    assert "SQuAD 1.1 and 2.0 dev" in card
    assert "cc-by-sa-4.0" in card
    assert (whole / "training.svg").read_text().startswith("<?xml")
    record = json.loads((whole / "training.json").read_text())
    assert record["recipe"]["seed"] == recipe.seed
    assert record["stages"]["1-distil"]["log"][-1]["step"] == 12

    shutil.copytree(tmp_path / "whole", tmp_path / "stopped")
    shutil.rmtree(tmp_path / "stopped" / "encoder")
    (tmp_path / "stopped" / "1-distil" / "stage.json").unlink()
    with pytest.raises(QgdrError, match="--resume"):
        train_encoder(recipe, training_folder, tmp_path / "stopped")
    resumed = train_encoder(recipe, training_folder, tmp_path / "stopped", RunOptions(resume=True))
    ours, theirs = (load_file(folder / "model.safetensors") for folder in (whole, resumed))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)

    other = load_recipe(str(tmp_path), ["distillation.steps=13"])
    with pytest.raises(QgdrError, match=r"distillation.steps: 12 there, 13 here"):
        train_encoder(other, training_folder, tmp_path / "stopped", RunOptions(resume=True))


def test_an_encoder_without_weights_is_named(tmp_path):
    recipe = load_recipe("qgdr", ["student.checkpoint=qgdr-contrastive"])
    with pytest.raises(QgdrError, match="'qgdr-contrastive' has a recipe here and no weights; train it with"):
        first_student(recipe, None, Stages(tmp_path, (), print))


@pytest.mark.parametrize(("gain", "chosen"), [(0.02, "fp32"), (1.4, "fp32"), (1.5, "bf16"), (8.0, "bf16")])
def test_bf16_is_chosen_where_it_is_faster(monkeypatch, tmp_path, gain, chosen):
    monkeypatch.setattr(precision, "_gain", lambda device: gain)
    cpu = torch.device("cpu")
    assert precision.resolve_precision("auto", cpu) == chosen
    assert precision.resolve_precision("bf16", cpu) == "bf16"
    arguments = training_arguments(TrainingSettings(steps=1, precision="auto"), 1, tmp_path)
    assert arguments.bf16 == (chosen == "bf16")


def test_a_slow_format_is_measured_twice_and_no_more(monkeypatch):
    made = []

    def counted(linear, dtype):
        linear.register_forward_hook(lambda *_: made.append(dtype))
        return linear

    monkeypatch.setattr(precision, "_LONG_ENOUGH", 0.0)
    assert precision.matrix_rate(torch.float32, torch.device("cpu"), counted, rows=4) > 0
    assert made == [torch.float32] * 2
