"""Questions without a passage: which are taken, what they are taught, and what they have no part in."""

import dataclasses
import gzip
import json

import pytest
import torch
from click.testing import CliRunner
from test_distillation import SETTINGS, rows_and_generated
from test_teacher_only import KINDS, RIVERS, data, with_teacher  # noqa: F401

from qgdr_pyserini.cli.main import main
from qgdr_pyserini.collection.tevatron import CandidateList, read_candidates
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.train.data import DataSettings, read_training_data
from qgdr_pyserini.train.distillation import Distiller, distil
from qgdr_pyserini.train.distillation_batches import Collator, Draw, Examples
from qgdr_pyserini.train.negatives import drop_likely_positives
from qgdr_pyserini.train.sampling import SamplerSettings


def unlabelled(row):
    """The same query, not knowing which candidate answers it."""
    name = f"unlabelled-{row.query_id}"
    return dataclasses.replace(row, query_id=name, positives=(), negatives=row.candidates[::-1])


def batch(encoder, rows, candidates=5):
    drawn = Examples(rows, {}, SamplerSettings(), Draw(candidates, len(rows), 1, seed=1))
    examples = sorted(drawn, key=lambda example: (not example.labelled, example.query))
    return Collator(encoder, candidates)(examples)


@torch.no_grad()
def loss(encoder, rows, **settings):
    chosen = SETTINGS.model_copy(update={"kd": 0.0, "alpha": 0.0, "beta": 0.0, **settings})
    return Distiller(encoder, chosen)(**batch(encoder, rows))["loss"].item()


def test_the_teachers_first_is_in_every_draw():
    rows = [unlabelled(row) for row in rows_and_generated()[0]]
    for example in Examples(rows, {}, SamplerSettings(), Draw(3, 8, 10, seed=1, block=2)):
        assert not example.labelled
        assert len(example.candidates) == 3
        assert example.candidates[0].passage.title in example.query
        assert len({item.passage.docid for item in example.candidates}) == 3


def test_rows_that_teach_nothing_are_passed_over():
    row = rows_and_generated()[0][0]
    alone = dataclasses.replace(unlabelled(row), negatives=row.negatives[:1])
    assert drop_likely_positives(unlabelled(row), 0.5) == unlabelled(row)
    for rows, candidates, scored in (([alone], 3, True), ([unlabelled(row)], 3, False)):
        with pytest.raises(QgdrError, match="no query has both"):
            Examples(rows, {}, SamplerSettings(), Draw(candidates, 2, 1, seed=1), scored=scored)


def test_the_contrastive_loss_leaves_them_out(tiny_encoder):
    encoder = DualEncoder.from_pretrained(tiny_encoder)
    rows = rows_and_generated()[0]
    mixed = [*rows[:3], *map(unlabelled, rows[3:])]
    # Each labelled query weighs what it would in a batch of labelled queries.
    assert loss(encoder, mixed, beta=1.0) == pytest.approx(
        loss(encoder, rows[:3], beta=1.0) * 3 / 8, rel=1e-4
    )
    assert loss(encoder, mixed[3:], beta=1.0) == 0
    assert loss(encoder, mixed, beta=1.0, kd=1.0) == pytest.approx(
        loss(encoder, mixed, beta=1.0) + loss(encoder, mixed, kd=1.0), rel=1e-4
    )


@pytest.mark.parametrize("in_batch", [False, True])
def test_they_are_distilled_as_labelled_queries_are(tiny_encoder, in_batch):
    encoder = DualEncoder.from_pretrained(tiny_encoder)
    rows = rows_and_generated()[0]
    known, unknown = batch(encoder, rows, 8), batch(encoder, [unlabelled(row) for row in rows], 8)
    settings = SETTINGS.model_copy(update={"alpha": 0.0, "in_batch": in_batch})
    one, two = (Distiller(encoder, settings)(**it)["loss"].item() for it in (known, unknown))
    assert one == pytest.approx(two, rel=1e-4)


@pytest.mark.parametrize("labelled", [0, 4])
def test_a_student_learns_from_them(tiny_encoder, tmp_path, labelled):
    rows, generated = rows_and_generated()
    rows = [*rows[:labelled], *map(unlabelled, rows[labelled:])]
    encoder = DualEncoder.from_pretrained(tiny_encoder)
    settings = SETTINGS.model_copy(update={"beta": 0.5})
    log = distil(encoder, rows, generated, settings, 3, tmp_path / "out")
    assert log[-1]["loss"] < 0.8 * log[0]["loss"]


@pytest.fixture
def folder(data, tmp_path):  # noqa: F811
    """The training folder, with translated questions that have no passage."""
    copy = tmp_path / "train"
    copy.mkdir()
    for file in data.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    asked = [(river, n) for river in RIVERS[:4] for n in range(4)]
    lines = [
        f"{lang}\t{text.format(n, river)}\tWhich town {n} is at the {river}?\tx\n"
        for river, n in asked
        for lang, text in (("fi", "Mikä kaupunki {} on {}?"), ("de", "Welche Stadt {} liegt an {}?"))
    ]
    # These two are asked about a passage.
    lines += ["fi\tx\tWhat lies on the Rhine 1?\tx\n", "de\tWas liegt an Rhine 1?\tWhat is there?\tx\n"]
    (copy / "question-translations.tsv.gz").write_bytes(gzip.compress("".join(lines).encode()))
    return copy


def test_questions_are_parallel_and_asked_of_no_passage(folder):
    def read(**settings):
        return read_training_data(folder, DataSettings(**settings), 0.3)

    every, few = read(unlabelled_per_language=100), read(unlabelled_per_language=3)
    assert len(every.unlabelled) == 3 * 16
    assert len(few.unlabelled) == 3 * 3
    assert read().unlabelled == []
    assert few.rows == read().rows
    assert few.digest == read().digest
    assert {row.query_id for row in few.unlabelled} < {row.query_id for row in every.unlabelled}
    assert few.languages == ["de", "en", "fi"]
    asked = {lang: [r.query.split()[-1] for r in few.unlabelled if r.lang == lang] for lang in few.languages}
    assert asked["de"] == asked["fi"] == asked["en"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_pipeline_distils_them(kind, tiny_encoder, folder, tmp_path):
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(with_teacher(tiny_encoder, kind))
    sets = ("data.unlabelled_per_language=5", "distillation.beta=0.5", "distillation.steps=4")
    more = [item for value in sets for item in ("--set", value)]
    run = tmp_path / "run"
    done = CliRunner().invoke(
        main, ["train", str(recipe), "--data", str(folder), "--output", str(run), *more]
    )
    assert done.exit_code == 0, done.output
    mined = {row.query_id: row for row in read_candidates(run / "1-mine" / "mined.jsonl.gz")}
    bare: list[CandidateList] = [row for row in mined.values() if not row.positives]
    assert len(bare) == 15
    assert all(len(row.negatives) == 5 for row in bare)
    # A question in another language has the candidates of its English twin.
    found = {}
    for row in bare:
        question = tuple(sorted(set(row.query.strip("?").split()) & {*RIVERS, *"0123"}))
        found.setdefault(question, set()).add(tuple(item.passage.docid for item in row.negatives))
    assert len(found) == 5
    assert all(len(lists) == 1 for lists in found.values())
    scored = list(read_candidates(run / "1-score" / "part-00000.jsonl.gz"))
    assert all(item.score is not None for row in scored for item in row.candidates)
    record = json.loads((run / "encoder" / "training.json").read_text())
    assert record["data"]["unlabelled"] == 15
    assert "15 of them without a passage" in (run / "encoder" / "README.md").read_text()
    refused = CliRunner().invoke(
        main, ["train", "qgdr-contrastive", "--dry-run", "--set", "data.unlabelled_per_language=5"]
    )
    assert "'data.unlabelled_per_language' needs" in refused.stderr
