"""The student before as an anchor: what is computed, what is held, and what translations learn."""

import dataclasses

import hub_layouts
import pytest
import torch
from click.testing import CliRunner
from test_distillation import PASSAGES, SETTINGS, rows_and_generated
from test_teacher_only import data, with_teacher, without_teacher  # noqa: F401

from qgdr_pyserini.cli.main import main
from qgdr_pyserini.collection.tevatron import read_candidates
from qgdr_pyserini.losses.alignment import AgreementSettings, AlignmentSettings
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.train.anchor import Anchor, AnchorSettings
from qgdr_pyserini.train.distillation import Distiller, ReplaySettings, distil
from qgdr_pyserini.train.distillation_batches import Collator, Draw, Examples, Hold, Replay, align
from qgdr_pyserini.train.mining import encode_passages, read_vectors, retrieve
from qgdr_pyserini.train.pairs import Pair, SourceSettings
from qgdr_pyserini.train.sampling import SamplerSettings
from qgdr_pyserini.train.stages import read_parts

ANCHOR = AnchorSettings(passages=3)


class Words:
    """Draws foreign words with their English."""

    def draw(self, size, rng):
        return [
            Pair(f"fluss {i}", f"river {i}", str(i), translation=True) for i in rng.integers(9, size=size)
        ]


REPLAY = Replay([(Words(), SourceSettings(weight=1.0, batch_size=4))], 4, seed=2)


def anchored(encoder, settings=ANCHOR):
    contents = {passage.docid: passage.contents for passage in PASSAGES}
    return Anchor(encoder, contents, encoder.encode_passages(list(contents.values())), settings)


def batch(encoder, anchor, replay=None):
    rows, generated = rows_and_generated()
    aligned = align(rows, generated, AgreementSettings())
    examples = list(Examples(rows, aligned, SamplerSettings(), Draw(5, 8, 1, seed=1)))
    return Collator(encoder, 5, hold=Hold(anchor, 1) if anchor else None, replay=replay)(examples)


@torch.no_grad()
@pytest.mark.parametrize("in_batch", [False, True])
def test_untrained_the_loss_is_that_of_computed_passages(tiny_encoder, in_batch):
    encoder = DualEncoder.from_pretrained(tiny_encoder)
    alignment = AlignmentSettings(in_batch=in_batch)
    settings = SETTINGS.model_copy(update={"in_batch": in_batch, "alignment": alignment, "beta": 1.0})
    anchor = anchored(encoder)
    inputs = batch(encoder, anchor)
    assert "passages" not in inputs
    ours = Distiller(encoder, settings, anchor)(**inputs)["loss"]
    theirs = Distiller(encoder, settings)(**batch(encoder, None))["loss"]
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


def test_alignment_hears_of_the_other_queries_candidates(tiny_encoder):
    encoder = DualEncoder.from_pretrained(tiny_encoder)
    losses = [
        Distiller(encoder, SETTINGS.model_copy(update={"kd": 0.0, "alignment": alignment}))(
            **batch(encoder, None)
        )["loss"].item()
        for alignment in (AlignmentSettings(), AlignmentSettings(in_batch=True))
    ]
    assert losses[0] != pytest.approx(losses[1], rel=1e-3)


def test_each_step_holds_other_passages_the_same_when_resumed():
    class Known:
        contents, places, settings = list("abcdefgh"), {}, ANCHOR

    hold = Hold(Known(), seed=4)
    drawn = [hold.draw(number) for number in range(0, 40, 8)]
    assert drawn == [hold.draw(number) for number in range(0, 40, 8)]
    assert len({tuple(places) for _, places in drawn}) > 1
    for contents, places in drawn:
        assert len(set(places)) == ANCHOR.passages
        assert contents == [Known.contents[place] for place in places]


@torch.no_grad()
def test_the_student_as_it_was_has_no_distance_from_itself(tiny_encoder):
    encoder = DualEncoder.from_pretrained(tiny_encoder)
    anchor = anchored(encoder)
    texts = Collator(encoder, 2)._queries(["a river", "the old bridge"])
    vectors = anchor.encode(texts)
    assert anchor.follow(vectors, vectors).item() == pytest.approx(0, abs=1e-6)
    assert anchor.follow(vectors.flip(0), vectors).item() > 0
    places = torch.tensor([1, 4])
    assert anchor.hold(anchor.vectors[places], places).item() == pytest.approx(0, abs=1e-6)
    for parameter in encoder.parameters():
        parameter.zero_()
    torch.testing.assert_close(anchor.encode(texts), vectors)


def test_the_anchor_follows_the_student_to_its_device(tiny_encoder):
    anchor = anchored(DualEncoder.from_pretrained(tiny_encoder))
    anchor.to(torch.device("meta"))
    assert anchor.vectors.device == anchor._before.device == torch.device("meta")


def test_translations_come_near_their_english_and_passages_stay(tiny_encoder, tmp_path):
    def trained(folder, hold):
        encoder = DualEncoder.from_pretrained(tiny_encoder)
        anchor = anchored(encoder, ANCHOR.model_copy(update={"hold": hold}))
        settings = SETTINGS.model_copy(
            update={"replay": ReplaySettings(batch_size=4), "anchor": ANCHOR, "alpha": 0.0}
        )
        rows, _ = rows_and_generated()
        log = distil(encoder, rows, [], settings, 3, tmp_path / folder, replay=REPLAY, anchor=anchor)
        now = torch.from_numpy(encoder.encode_passages([p.contents for p in PASSAGES]))
        drift = 1 - (now * anchor.vectors).sum(dim=1).mean().item()
        english = torch.from_numpy(
            DualEncoder.from_pretrained(tiny_encoder).encode_queries([f"river {i}" for i in range(9)])
        )
        foreign = torch.from_numpy(encoder.encode_queries([f"fluss {i}" for i in range(9)]))
        return log, drift, (english * foreign).sum(dim=1).mean().item()

    log, held, near = trained("held", 20.0)
    _, free, _ = trained("free", 0.0)
    assert log[-1]["loss"] < log[0]["loss"]
    assert held < free
    before = DualEncoder.from_pretrained(tiny_encoder)
    texts = [[f"{word} {i}" for i in range(9)] for word in ("river", "fluss")]
    english, foreign = (before.encode_queries(part) for part in texts)
    assert near > (english * foreign).sum(axis=1).mean()


def test_what_was_encoded_is_searched_and_in_order(tiny_encoder, tmp_path):
    encoder = DualEncoder.from_pretrained(tiny_encoder)
    rows = [dataclasses.replace(row, negatives=()) for row in rows_and_generated()[0]]
    encoded = tmp_path / "encoded"
    encoded.mkdir()
    assert encode_passages(encoder, lambda: iter(PASSAGES), encoded, block=3) == len(PASSAGES)
    now, before = (
        retrieve(encoder, rows, lambda: iter(PASSAGES), 3, tmp_path / name, block=3, encoded=folder)
        for name, folder in (("now", None), ("before", encoded))
    )
    assert now == before
    kept = torch.from_numpy(read_vectors(encoded))
    torch.testing.assert_close(
        kept, torch.from_numpy(encoder.encode_passages([p.contents for p in PASSAGES]))
    )


ANCHORED = """
[combination]
scores = ["student", "teacher"]

[generation]
source = "twins"

[pairs.sources]
questions = { weight = 1.0, batch_size = 4 }

[distillation.anchor]
passages = 2

[distillation.replay]
batch_size = 4
"""


# As the recipe of the encoder that ships: a warm-up by article, then an untrained teacher that reads English.
WARMED = """
[warmup]
steps = 2
batch_size = 8
candidates = 1
article_block = 4

[teacher]
kind = "query-generator"
reads = "english"
batch_size = 16

[teacher.source]
checkpoint = "{teacher}"

[distillation]
steps = 2
batch_size = 4
candidates = 3
student_temperature = 0.05
beta = 0.5
"""


def warmed(student, teacher):
    head = without_teacher(student)
    return head + WARMED.format(teacher=teacher) + ANCHORED


def run(recipe, data, output):  # noqa: F811
    return CliRunner().invoke(main, ["train", str(recipe), "--data", str(data), "--output", str(output)])


def test_a_pipeline_anchors_its_student(tiny_encoder, data, tmp_path):  # noqa: F811
    kind = "query-generator"
    base = with_teacher(tiny_encoder, kind)
    base = base.replace("alpha = 0.0", "alpha = 1.0").replace("[teacher]", '[teacher]\nreads = "english"')
    (tmp_path / "recipe.toml").write_text(base + ANCHORED)
    done = run(tmp_path / "recipe.toml", data, tmp_path / "run")
    assert done.exit_code == 0, done.output
    mined = {row.query_id: row for row in read_candidates(tmp_path / "run" / "1-mine" / "mined.jsonl.gz")}
    for name, row in mined.items():
        twin = mined[name[:-2] + ("en" if row.lang == "de" else "de")]
        assert [c.passage.docid for c in row.candidates] == [c.passage.docid for c in twin.candidates]
    corpus = {c.passage.docid for row in mined.values() for c in row.candidates}
    assert len(read_vectors(tmp_path / "run" / "1-encode")) >= len(corpus)
    # What aligns was scored with its source; the teacher has not seen it.
    scored, aligned = (
        {row.query_id: row for row in read_parts(tmp_path / "run" / stage)}
        for stage in ("1-score", "1-score-generated")
    )
    assert aligned
    for row in aligned.values():
        source = scored[row.aligned_with]
        assert [c.score for c in row.candidates] == [c.score for c in source.candidates]


def test_a_teacher_with_few_labels_and_the_student_learn_from_one_encoding(tiny_encoder, data, tmp_path):  # noqa: F811
    """Queries whose labels are hidden are distilled, too, though the teacher did not learn from them."""
    kind = "cross-encoder"
    base = with_teacher(tiny_encoder, kind)
    (tmp_path / "recipe.toml").write_text(base + "[distillation.anchor]\npassages = 2\n")
    command = ["train", str(tmp_path / "recipe.toml"), "--data", str(data), "--set", "data.labels=0.25"]
    done = CliRunner().invoke(main, [*command, "--output", str(tmp_path / "run")])
    assert done.exit_code == 0, done.output
    order = [line.split(":")[0] for line in done.output.splitlines() if line.endswith("begun")]
    assert order[:3] == ["student", "1-encode", "0-mine"]
    assert order.count("1-encode") == 1
    labelled, distilled = (
        list(read_candidates(tmp_path / "run" / stage / "mined.jsonl.gz")) for stage in ("0-mine", "1-mine")
    )
    assert {row.query_id for row in distilled if row.positives} == {row.query_id for row in labelled}
    assert len(distilled) == 4 * len(labelled)
    plan = CliRunner().invoke(main, [*command, "--dry-run"]).output
    assert plan.index("1-encode") < plan.index("0-mine") < plan.index("1-mine")
    assert "those of 0-mine" not in plan
    assert "plus encoding" not in plan


def test_a_student_goes_back_a_part_of_the_way(tiny_encoder, data, tmp_path):  # noqa: F811
    base = without_teacher(tiny_encoder)
    base += "[distillation]\nsteps = 4\nbatch_size = 4\ncandidates = 3\nkd = 0.0\nalpha = 0.0\nbeta = 1.0\n"
    (tmp_path / "recipe.toml").write_text(base + "learning_rate = 1e-2\n")
    command = ["train", str(tmp_path / "recipe.toml"), "--data", str(data)]
    whole, part = tmp_path / "whole", tmp_path / "part"
    assert CliRunner().invoke(main, [*command, "--output", str(whole)]).exit_code == 0
    more = ["--set", "distillation.interpolation=0.75", "--reuse", str(whole), "--output", str(part)]
    done = CliRunner().invoke(main, [*command, *more])
    # Nothing is trained again for another share.
    assert f"1-distil: taken from {whole}" in done.output
    before, after, between = (
        DualEncoder.from_pretrained(folder).state_dict()
        for folder in (part / "student" / "model", part / "1-distil" / "model", part / "encoder")
    )
    moved = {name for name, weight in before.items() if not torch.equal(weight, after[name])}
    assert moved
    for name in moved:
        torch.testing.assert_close(between[name], 0.25 * before[name] + 0.75 * after[name])
    assert (
        "| 1-interpolate | 0.75 of 1-distil's weights, the rest of those before it |"
        in (part / "encoder" / "README.md").read_text()
    )
    plan = CliRunner().invoke(main, [*command, "--dry-run", *more[:2]]).output
    assert "0.75 of its weights, the rest of those before" in plan


def test_negatives_are_searched_with_english_where_the_recipe_says_so(tiny_encoder, data, tmp_path):  # noqa: F811
    base = without_teacher(tiny_encoder)
    base += "[distillation]\nsteps = 2\nbatch_size = 4\ncandidates = 3\nkd = 0.0\nalpha = 0.0\nbeta = 1.0\n"
    (tmp_path / "recipe.toml").write_text(base)
    command = ["train", str(tmp_path / "recipe.toml"), "--data", str(data), "--set", "negatives.english=true"]
    done = CliRunner().invoke(main, [*command, "--output", str(tmp_path / "run")])
    assert done.exit_code == 0, done.output
    mined = {row.query_id: row for row in read_candidates(tmp_path / "run" / "1-mine" / "mined.jsonl.gz")}
    for name, row in mined.items():
        twin = mined[name[:-2] + ("en" if row.lang == "de" else "de")]
        assert [c.passage.docid for c in row.candidates] == [c.passage.docid for c in twin.candidates]


def test_the_card_says_who_taught_what(tiny_encoder, data, tmp_path):  # noqa: F811
    teacher = hub_layouts.causal(tmp_path / "qwen2")
    (tmp_path / "recipe.toml").write_text(warmed(tiny_encoder, teacher))
    done = run(tmp_path / "recipe.toml", data, tmp_path / "run")
    assert done.exit_code == 0, done.output
    card = (tmp_path / "run" / "encoder" / "README.md").read_text()
    for said in (
        "**Teacher**: a query generator, `qwen2`, untrained (zero-shot), which reads a question's English",
        "·student + ",
        "·teacher, raw scores by weights fitted to held-out queries",
        "**Loss**: 1·L_KD + 1·L_A (with twins) + 0.5·L_contrastive + 1·L_replay + 4·L_hold; passages stand",
        "| 0-mine | 64 queries; nothing is searched |",
        "| 1-encode | 32 passages |",
        "| 1-score | 64 queries; 32 of them read in English |",
        "| 1-generate | 64 queries; in 2 languages |",
        "64 queries; 64 aligned queries |",
        "Queries learned from: 64 in warm-up, 64 in the iterations.",
        "Both read the query's English twin",
    ):
        assert said in card, said
    # Where a checkpoint lay is of no use to others.
    assert str(tmp_path) not in card


def test_the_plan_counts_what_a_step_computes(tmp_path):
    # A hub name whose size is known, so that nothing is fetched.
    (tmp_path / "recipe.toml").write_text(warmed("intfloat/multilingual-e5-small", "no/such-model"))
    done = CliRunner().invoke(main, ["train", str(tmp_path / "recipe.toml"), "--dry-run"])
    assert done.exit_code == 0, done.output
    plan = {line.split("|")[1].strip(): line for line in done.output.splitlines() if line.startswith("| ")}
    assert "what the data gives; nothing is searched" in plan["0-mine"]
    assert "vectors of all passages" in plan["1-encode"]
    assert "by student" in plan["1-mine"]
    assert "plus encoding" not in plan["1-mine"]
    assert "as their sources" in plan["1-score-generated"]
    # Four questions, as many aligned, four texts with their English, two passages; 20 and 160 subwords each.
    tokens = (4 + 4 + 4 + 4) * 20 + 2 * 160
    flops = 2 * (6 * 21_639_552 * tokens + 12 * (21_639_552 + 96_014_208))
    assert f" {flops / 1e9:.3g} G |" in plan["1-distil"]


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("[distillation.replay]\nbatch_size = 4\n[distillation.anchor]\n", "a replay is of texts and their"),
        (
            '[warmup]\nsteps = 1\n[warmup.anchor]\npassages = 2\n[generation]\nsource = "twins"\n',
            "'warmup' has no student before",
        ),
    ],
)
def test_an_anchor_without_its_place_is_named(more, problem, tiny_encoder, data, tmp_path):  # noqa: F811
    text = with_teacher(tiny_encoder, "cross-encoder")
    text += "[pairs.sources]\nqueries = { weight = 1.0, batch_size = 4 }\n" + more
    (tmp_path / "recipe.toml").write_text(text)
    done = run(tmp_path / "recipe.toml", data, tmp_path / "run")
    assert done.exit_code == 2
    assert problem in done.output
    assert not (tmp_path / "run").exists()
