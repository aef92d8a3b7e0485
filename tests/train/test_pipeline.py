"""The whole method: every stage, killed and resumed, reused, on several processes, with hub layouts."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import hub_layouts
import pytest
import torch
from click.testing import CliRunner
from invented_towns import write_training_folder
from safetensors.torch import load_file
from training_slices import every_stage
from transformers import Trainer

import qgdr_pyserini
from qgdr_pyserini.cli.main import main
from qgdr_pyserini.collection.corpus import Passage, write_corpus
from qgdr_pyserini.collection.tevatron import Candidate, CandidateList, read_candidates, write_candidates
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.lock import only_writer
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.train.data import DataSettings, read_training_data
from qgdr_pyserini.train.mining import retrieve
from qgdr_pyserini.train.stages import read_parts, write_parts
from qgdr_pyserini.train.trainer import Trained, TrainingSettings, check_finite, fit, training_arguments

STAGES = [
    "student", "0-mine", "0-warmup", "teacher-generation", "teacher-ranking", "1-mine",
    "1-check-teacher", "1-score", "1-generate", "1-score-generated",
    "1-weigh", "1-combine", "1-combine-generated", "1-distil", "2-mine", "2-check-teacher", "2-score",
    "2-generate", "2-score-generated", "2-weigh", "2-combine", "2-combine-generated", "2-distil",
]  # fmt: skip
RIVERS = ["Danube", "Rhine", "Elbe", "Volga", "Tagus", "Loire", "Seine", "Rhone", "Ebro", "Po"]


@pytest.fixture(scope="module")
def recipe_file(tmp_path_factory):
    return every_stage(tmp_path_factory.mktemp("recipe"))


def command(recipe, data, output, *more):
    return [sys.executable, "-m", "qgdr_pyserini", "train", str(recipe), "--data", str(data),
            "--output", str(output), *map(str, more)]  # fmt: skip


def run(arguments, **options):
    return subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=500, **options)


@pytest.fixture(scope="module")
def whole(invented_folder, recipe_file, tmp_path_factory):
    """An uninterrupted run."""
    output = tmp_path_factory.mktemp("whole") / "run"
    done = run(command(recipe_file, invented_folder, output))
    assert done.returncode == 0, done.stderr
    return output


def test_every_stage_leaves_its_result(whole):
    assert all((whole / stage / "stage.json").is_file() for stage in STAGES)
    assert not [*whole.glob("*/checkpoint-*"), *whole.glob("*/block-*")]
    record = json.loads((whole / "encoder" / "training.json").read_text())
    assert list(record["stages"]) == STAGES
    assert record["stages"]["2-distil"]["log"][-1]["step"] == 6
    assert record["stages"]["2-distil"]["generated"] == record["stages"]["2-generate"]["queries"] > 0
    for scores in (record["stages"]["1-check-teacher"][who] for who in ("teacher", "student")):
        assert 0 <= scores["all"] <= 1
    assert set(record["stages"]["2-weigh"]["weights"]) == {"student", "teacher"}
    card = (whole / "encoder" / "README.md").read_text()
    assert "| 1-check-teacher |" in card
    assert "Teacher and student as re-rankers" in card
    assert "![Loss over steps, by stage](training.svg)" in card
    generated = list(read_parts(whole / "1-score-generated"))
    assert {row.lang for row in generated} == {"de", "ru"}
    assert all(item.score is not None for row in generated for item in row.candidates)
    assert DualEncoder.from_pretrained(whole / "encoder").dimension == 32


def test_a_killed_run_ends_with_the_weights_of_an_uninterrupted_one(
    whole, invented_folder, recipe_file, tmp_path
):
    output, kills, chance = tmp_path / "run", 0, random.SystemRandom()
    for stage in sorted(chance.sample(STAGES[1:], 3), key=STAGES.index):
        process = subprocess.Popen(
            command(recipe_file, invented_folder, output, "--resume"), stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        while process.poll() is None and not (output / stage).exists():
            time.sleep(0.01)
        try:
            process.wait(chance.uniform(0, 0.3))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            kills += 1
        process.wait()
    assert kills > 0
    done = run(command(recipe_file, invented_folder, output, "--resume"))
    assert done.returncode == 0, done.stderr
    for model in ("encoder", "1-distil/model", "teacher-ranking/model"):
        ours, theirs = (load_file(folder / model / "model.safetensors") for folder in (output, whole))
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs), model


def test_stages_of_another_run_are_reused_where_they_come_out_the_same(
    whole, invented_folder, recipe_file, tmp_path
):
    other = whole
    more = ["--reuse", other, "--set", "distillation.beta=1.0"]
    done = CliRunner().invoke(main, command(recipe_file, invented_folder, tmp_path / "run", *more)[3:])
    assert done.exit_code == 0, done.stderr
    lines = done.stderr.splitlines()
    for stage in STAGES[: STAGES.index("1-distil")]:
        assert f"{stage}: taken from {other}" in lines
    assert "1-distil: begun" in lines
    assert "2-mine: begun" in lines


def test_what_is_selected_from_the_data_is_part_of_its_digest(invented_folder):
    def read(holdout=0.1, **settings):
        return read_training_data(invented_folder, DataSettings(**settings), holdout)

    every = read()
    assert read().digest == every.digest == read(distilled_per_language=3).digest
    assert len({every.digest, read(limit_per_language=3).digest, read(holdout=0.2).digest}) == 3
    few = read(distilled_per_language=3)
    assert len(few.rows) == len(every.rows) > len(few.distilled)
    # English ones are taken besides, as twins.
    assert max(Counter(row.lang for row in few.distilled if row.lang != "en").values()) == 3
    held = {item.passage.title for row in every.held_out for item in row.positives}
    assert held.isdisjoint(passage.title for passage in every.corpus())
    assert held <= {passage.title for passage in every.pool()}


def test_two_processes_share_the_work(whole, invented_folder, recipe_file, tmp_path):
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "qgdr_pyserini"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    arguments = command(recipe_file, invented_folder, tmp_path / "run", "--set", "iterations=1")[3:]
    done = run([*torchrun, *arguments], env=environment)
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "run" / "encoder" / "training.json").read_text())
    assert list(record["stages"]) == STAGES[: STAGES.index("2-mine")]
    assert done.stderr.count("1-distil: complete") == 1
    alone = list(read_parts(whole / "1-score"))
    assert len(list(read_parts(tmp_path / "run" / "1-score"))) == len(alone)


def test_another_recipes_folder_and_other_data_are_refused(whole, invented_folder, recipe_file, tmp_path):
    again = CliRunner().invoke(main, command(recipe_file, invented_folder, whole)[3:])
    assert (again.exit_code, "pass --resume" in again.stderr) == (2, True)
    changed = command(recipe_file, invented_folder, whole, "--resume", "--set", "seed=6")[3:]
    refused = CliRunner().invoke(main, changed)
    assert (refused.exit_code, "seed: 5 there, 6 here" in refused.stderr) == (2, True)
    other = write_training_folder(tmp_path / "train", towns=30)
    refused = CliRunner().invoke(main, command(recipe_file, other, whole, "--resume")[3:])
    assert (refused.exit_code, "was made from other data or settings" in refused.stderr) == (2, True)
    with only_writer(whole):
        refused = CliRunner().invoke(main, command(recipe_file, invented_folder, whole, "--resume")[3:])
    assert (refused.exit_code, "another process is writing it" in refused.stderr) == (2, True)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("mine")
    refused = CliRunner().invoke(main, command(recipe_file, other, tmp_path / "full", "--resume")[3:])
    assert (refused.exit_code, "holds no training run" in refused.stderr) == (2, True)


def test_data_that_is_missing_or_empty_is_named(recipe_file, tmp_path):
    result = CliRunner().invoke(main, command(recipe_file, tmp_path / "nowhere", tmp_path / "run")[3:])
    assert (result.exit_code, "no such training folder" in result.stderr) == (2, True)
    (tmp_path / "tevatron").mkdir()
    wrong = command(
        "qgdr-xor-tydi", tmp_path / "tevatron", tmp_path / "run2", "--set", "data.queries=x.jsonl"
    )
    result = CliRunner().invoke(main, wrong[3:])
    assert (result.exit_code, "x.jsonl: no such file" in result.stderr) == (2, True)


@pytest.fixture
def tevatron_folder(tmp_path):
    folder = tmp_path / "tevatron"
    folder.mkdir()
    text = "The {0} rises in the high mountains and the {0} flows to the distant sea past many old towns"
    passages = [Passage(f"p{i}", river, text.format(river)) for i, river in enumerate(RIVERS)]
    rows = [
        CandidateList(
            f"q{i}-{lang}",
            query.format(passage.title),
            (Candidate(passage),),
            tuple(Candidate(other) for other in passages if other is not passage)[:4],
            lang,
        )
        for i, passage in enumerate(passages)
        for lang, query in (("en", "In which mountains does the {} rise?"), ("zh", "{}发源于哪里？"))
    ]
    write_candidates(folder / "train.jsonl.gz", rows)
    write_corpus(folder / "corpus.jsonl.gz", passages)
    return folder


def by_command(recipe, data, output, settings):
    values = {key: value if isinstance(value, Path) else json.dumps(value) for key, value in settings.items()}
    overrides = [item for key, value in values.items() for item in ("--set", f"{key}={value}")]
    done = CliRunner().invoke(main, command(recipe, data, output, *overrides)[3:])
    assert done.exit_code == 0, done.stderr


def by_function(recipe, data, output, settings):
    assert qgdr_pyserini.train_encoder(recipe, data, output, settings=settings) == output / "encoder"


@pytest.mark.parametrize(
    ("student", "first", "train"), [("xlm_roberta", "given", by_function), ("mbert", "bm25", by_command)]
)
def test_checkpoints_in_hub_layouts_go_through_the_paper_scale_recipe(
    tevatron_folder, tmp_path, student, first, train
):
    (tmp_path / "hub").mkdir()
    checkpoint = getattr(hub_layouts, student)(tmp_path / "hub" / student)
    teacher = hub_layouts.mt5(tmp_path / "hub" / "mt5")
    settings = {
        "student.checkpoint": checkpoint,
        "teacher.source.checkpoint": teacher,
        "negatives.first": first,
        "iterations": 1,
        "generation.languages": ["de", "ru"],
        **{
            f"{group}.{key}": value
            for group in ("warmup", "teacher.generation", "teacher.ranking", "distillation")
            for key, value in (("steps", 2), ("batch_size", 4))
        },
    }
    train("qgdr-xor-tydi", tevatron_folder, tmp_path / "run", settings)
    encoder = DualEncoder.from_pretrained(tmp_path / "run" / "encoder")
    assert encoder.config.pooling == "cls"
    assert encoder.encode_queries(["Wo entspringt die Donau?"]).shape == (1, 32)
    mined = list(read_candidates(tmp_path / "run" / "0-mine" / "mined.jsonl.gz"))
    assert all(row.negatives for row in mined if row.lang == "en")


def test_languages_without_a_name_are_refused_before_any_work(tevatron_folder, tmp_path):
    more = ["--set", 'generation.languages=["de", "xx"]']
    wrong = command("qgdr-xor-tydi", tevatron_folder, tmp_path / "run", *more)
    result = CliRunner().invoke(main, wrong[3:])
    assert (result.exit_code, "language 'xx' has no English name" in result.stderr) == (2, True)
    more = ["--set", "data.language="]
    rows = [CandidateList("q1", "x", (Candidate(Passage("p1", "", "y")),))]
    write_candidates(tevatron_folder / "train.jsonl.gz", rows)
    result = CliRunner().invoke(main, command("qgdr-xor-tydi", tevatron_folder, tmp_path / "b", *more)[3:])
    assert (result.exit_code, "query 'q1' has no language" in result.stderr) == (2, True)


def test_a_corpus_is_searched_block_by_block(tiny_encoder, tmp_path):
    encoder = DualEncoder.from_pretrained(tiny_encoder)
    passages = [
        Passage(f"p{i}", river, f"the {river} is {i * 100} km long") for i, river in enumerate(RIVERS)
    ]
    rows = [CandidateList(f"q{i}", f"how long is the {river}?", ()) for i, river in enumerate(RIVERS)]
    vectors = encoder.encode_passages([p.text for p in passages], [p.title for p in passages])
    scores = encoder.encode_queries([row.query for row in rows]) @ vectors.T
    whole = {
        row.query_id: [passages[i].docid for i in (-own).argsort()[:4]]
        for row, own in zip(rows, scores, strict=True)
    }
    ranking, found = retrieve(encoder, rows, lambda: iter(passages), 4, tmp_path, block=3)
    assert ranking == whole
    assert set(found) == {docid for docids in whole.values() for docid in docids}
    kept = {file: file.stat().st_mtime_ns for file in tmp_path.glob("block-*/hits.pt")}
    assert len(kept) == 4
    assert retrieve(encoder, rows, lambda: iter(passages), 4, tmp_path, block=3)[0] == whole
    assert kept == {file: file.stat().st_mtime_ns for file in kept}
    with pytest.raises(QgdrError, match="the corpus holds no passages"):
        retrieve(encoder, rows, lambda: iter(()), 4, tmp_path / "empty")


def test_parts_that_are_there_are_not_made_again(tmp_path):
    rows = [CandidateList(f"q{i}", "x", ()) for i in range(7)]
    made = []

    def work(number, part):
        made.append(number)
        return [row for row in part if row.query_id != "q6"]

    assert write_parts(tmp_path, rows, work, size=3) == 6
    assert made == [0, 1, 2]
    assert [row.query_id for row in read_parts(tmp_path)] == [f"q{i}" for i in range(6)]
    (tmp_path / "part-00001.jsonl.gz").unlink()
    assert write_parts(tmp_path, rows, work, size=3) == 6
    assert made == [0, 1, 2, 1]


class Failing(Trained):
    """Fails at its third step in the way that it is told to."""

    def __init__(self, failure):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.failure, self.calls = failure, 0

    def forward(self, x):
        self.calls += 1
        loss = (self.weight * x).sum()
        return {"loss": check_finite(self.failure(loss) if self.calls == 3 else loss)}


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (lambda loss: loss * torch.nan, "the loss is NaN or infinite; lower learning_rate"),
        (lambda loss: loss + torch.empty(2**55).sum(), "out of memory; lower batch_size"),
    ],
)
def test_what_stops_a_loop_is_named_with_stage_and_step_and_checkpoints_stay(tmp_path, failure, message):
    settings = TrainingSettings(steps=5, batch_size=1, save_steps=1)
    trainer = Trainer(
        model=Failing(failure),
        args=training_arguments(settings, 0, tmp_path),
        train_dataset=[{"x": torch.ones(1)}] * 5,
    )
    with pytest.raises(QgdrError, match=f"teacher-x, step 2: {message}.* are kept"):
        fit(trainer, "teacher-x", tmp_path)
    assert (tmp_path / "checkpoint-2" / "model.safetensors").is_file()


def test_tied_weights_are_saved_once():
    class Tied(Trained):
        def __init__(self):
            super().__init__()
            self.first = torch.nn.Linear(2, 2, bias=False)
            self.second = torch.nn.Linear(2, 2, bias=False)
            self.second.weight = self.first.weight

    assert list(Tied().state_dict()) == ["first.weight"]
