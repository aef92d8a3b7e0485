"""Training no further than the teacher, and the queries that were held out from it."""

import gzip
import json
from collections import Counter

import hub_layouts
import pytest
import torch
from click.testing import CliRunner

from qgdr_pyserini.cli.main import main
from qgdr_pyserini.collection.corpus import read_corpus
from qgdr_pyserini.collection.tevatron import read_candidates
from qgdr_pyserini.collection.topics import read_topics
from qgdr_pyserini.collection.trec import read_qrels, read_run
from qgdr_pyserini.evaluate.languages import language_of
from qgdr_pyserini.model.cross_encoder import CrossEncoder
from qgdr_pyserini.model.loading import ModelSource
from qgdr_pyserini.model.query_generator import QueryGenerator
from qgdr_pyserini.model.teachers import load_teacher
from qgdr_pyserini.train.data import article_is_held_out

HOLDOUT = 0.3
_BASE = """
name = "qgdr-teacher-only"
description = "A tiny encoder and its teacher"
seed = 3
holdout = 0.3

[student]
checkpoint = "{student}"

[negatives]
negatives = 5
depth = 20

[teacher]
kind = "{kind}"
{start}
freeze_vectors = true
batch_size = 16

[teacher.ranking]
steps = 3
batch_size = 4
candidates = 3

[distillation]
steps = 2
batch_size = 4
candidates = 3
student_temperature = 0.05
alpha = 0.0
"""
KINDS = ("cross-encoder", "query-generator")
_TEXTS = ["Town 0 1 2 3 lies on the river.", "What lies on the river 0 1 2 3?", "Was liegt an 0 1 2 3?"] * 20
RIVERS = ["Danube", "Rhine", "Elbe", "Volga", "Tagus", "Loire", "Seine", "Rhone", "Ebro", "Po"]


def with_teacher(student, kind):
    """Write a recipe with a teacher of a kind: of the student's layers, or a tiny mT5 beside the student."""
    start, generator = "from_student = true", student.parent / "tiny-generator"
    if kind == "query-generator":
        start = f'source = {{ checkpoint = "{generator}" }}'
        if not generator.exists():
            hub_layouts.mt5(generator, texts=[*hub_layouts.TEXTS, *_TEXTS])
    return _BASE.format(student=student, kind=kind, start=start)


def without_teacher(student):
    """Write the part of such a recipe that comes before its teacher."""
    return _BASE.format(student=student, kind="", start="").split("[teacher]")[0]


def qgdr(*arguments):
    return CliRunner().invoke(main, list(map(str, arguments)))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A training folder: four passages about each river, each with a question in two languages."""
    folder = tmp_path_factory.mktemp("data")
    places = [(river, n) for river in RIVERS for n in range(4)]
    passages = [
        {"docid": f"{r}-{n}", "title": r, "text": f"Town {n} lies on the {r}.", "source": "x"}
        for r, n in places
    ]
    texts = {"en": "What lies on the {} {}?", "de": "Was liegt an {} {}?"}
    queries = [
        {
            "query_id": f"{r}-{n}-{lang}",
            "lang": lang,
            "query": text.format(r, n),
            "docid": f"{r}-{n}",
            "source": "x",
        }
        for r, n in places
        for lang, text in texts.items()
    ]
    for name, rows in (("passages", passages), ("queries", queries)):
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{name}.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    for name in ("question-translations", "sentences", "lexicon", "names"):
        (folder / f"{name}.tsv.gz").write_bytes(gzip.compress(b"de\tFluss\triver\tx\n"))
    return folder


@pytest.fixture(params=KINDS)
def recipe(request, tiny_encoder, tmp_path):
    (tmp_path / "recipe.toml").write_text(with_teacher(tiny_encoder, request.param))
    return tmp_path / "recipe.toml"


def test_a_teacher_of_the_students_layers_is_trained_re_ranks_and_goes_on_to_teach(recipe, data, tmp_path):
    output, held = tmp_path / "run", tmp_path / "held-out"
    done = qgdr("train", recipe, "--data", data, "--output", output, "--teacher-only")
    assert done.exit_code == 0, done.output
    teacher = output / "teacher-ranking" / "model"
    assert done.stdout == f"teacher: {teacher}\n"
    assert not (output / "encoder").exists()
    kinds = {"cross-encoder": CrossEncoder, "query-generator": QueryGenerator}
    kind = json.loads((output / "recipe.json").read_text())["teacher"]["kind"]
    trained = load_teacher(str(teacher))
    assert isinstance(trained, kinds[kind])
    start = json.loads((output / "recipe.json").read_text())["teacher"]["source"]
    before = kinds[kind].load(
        ModelSource(checkpoint=start["checkpoint"] if start else str(output / "student/model"))
    )
    vectors = before.model.get_input_embeddings().weight
    assert torch.equal(trained.model.get_input_embeddings().weight, vectors)
    after = trained.state_dict()
    moved = [name for name, weight in before.state_dict().items() if not torch.equal(weight, after[name])]
    assert any("layer" in name or "block" in name for name in moved)

    assert qgdr("collection", "held-out", recipe, "--data", data, "--output", held).exit_code == 0
    qrels = read_qrels(held / "qrels.txt")
    candidates = [(qid, docid) for qid in qrels for docid in sorted(next(iter(qrels.values())))]
    candidates += [(qid, docid) for qid, judged in qrels.items() for docid in judged]
    lines = "".join(f"{qid} Q0 {docid} 1 1.0 x\n" for qid, docid in dict.fromkeys(candidates))
    (tmp_path / "run.x.txt").write_text(lines)
    again = qgdr("rerank", "--teacher", teacher, "--run", tmp_path / "run.x.txt", "--topics",
                 f"{held}/topics.*.tsv", "--corpus", held, "--output", tmp_path / "run.y.txt.gz")  # fmt: skip
    assert again.exit_code == 0, again.output
    found = read_run(tmp_path / "run.y.txt.gz")
    assert {(qid, docid) for qid, hits in found.items() for docid in hits} == set(candidates)
    assert len({score for hits in found.values() for score in hits.values()}) > 10

    rest = qgdr("train", recipe, "--data", data, "--output", output, "--resume")
    assert rest.exit_code == 0, rest.output
    assert "teacher-ranking: done before" in rest.stderr
    assert (output / "encoder" / "model.safetensors").is_file()


def test_held_out_queries_are_about_articles_that_nothing_was_learned_from(recipe, data, tmp_path):
    built = qgdr("collection", "held-out", recipe, "--data", data, "--output", tmp_path / "all")
    assert built.exit_code == 0, built.output
    articles = {passage.docid: passage.title for passage in read_corpus(tmp_path / "all")}
    assert len(articles) == 40
    expected = {river for river in RIVERS if article_is_held_out(river, HOLDOUT)}
    qrels = read_qrels(tmp_path / "all" / "qrels.txt")
    assert {articles[docid] for judged in qrels.values() for docid in judged} == expected
    assert len(qrels) == 2 * 4 * len(expected)
    assert {language_of(qid) for qid in qrels} == {"de", "en"}
    few = ["collection", "held-out", recipe, "--data", data, "--output", tmp_path / "few", "--queries", 3]
    assert qgdr(*few).exit_code == 0
    for lang in ("de", "en"):
        topics = read_topics(tmp_path / "few" / f"topics.{lang}.tsv")
        assert len(topics) == 3
        assert topics.items() <= read_topics(tmp_path / "all" / f"topics.{lang}.tsv").items()
    assert "pass --overwrite" in qgdr(*few).stderr
    german = ["collection", "held-out", recipe, "--data", data, "--output", tmp_path / "german", "--language"]
    assert qgdr(*german, "de").exit_code == 0
    assert [file.name for file in (tmp_path / "german").glob("topics.*")] == ["topics.de.tsv"]
    assert "no query held out is in language 'fi'; there are de, en" in qgdr(*german, "fi").stderr


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["collection", "held-out", "--set", "holdout=0.0"], "holds nothing out; pass --set holdout=0.03"),
        (["collection", "held-out", "--set", "holdout=1e-9"], "none of its queries is about an article held"),
        (["train", "--teacher-only", "--set", "teacher.ranking.steps=0"], "teacher.ranking.steps"),
    ],
)
def test_what_cannot_be_done_is_one_line(recipe, data, tmp_path, arguments, problem):
    result = qgdr(*arguments, recipe, "--data", data, "--output", tmp_path / "out")
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert problem in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_recipe_without_a_teacher_has_none_to_stop_at(data, tmp_path):
    arguments = ("train", "qgdr-contrastive", "--data", data, "--output", tmp_path / "out", "--teacher-only")
    result = qgdr(*arguments)
    assert (result.exit_code, result.stderr) == (
        2,
        "Error: recipe qgdr-contrastive: trains no teacher; leave --teacher-only out\n",
    )


def test_negatives_that_the_first_student_mined_are_not_mined_again(recipe, data, tmp_path):
    text = recipe.read_text()
    recipe.write_text(text.replace("[negatives]", "[data]\ndistilled_per_language = 6\n\n[negatives]", 1))
    done = qgdr("train", recipe, "--data", data, "--output", tmp_path / "run")
    assert done.exit_code == 0, done.output
    first, second = (
        list(read_candidates(tmp_path / "run" / stage / "mined.jsonl.gz")) for stage in ("0-mine", "1-mine")
    )
    chosen = {row.query_id for row in second}
    assert second == [row for row in first if row.query_id in chosen]
    assert Counter(row.lang for row in second) == {"de": 6, "en": 6}
    assert "those of 0-mine" in qgdr("train", recipe, "--dry-run").output


@pytest.mark.parametrize("recipe", ["cross-encoder"], indirect=True)
def test_batches_by_article_need_no_mining_and_no_teacher(recipe, data, tmp_path):
    head = recipe.read_text().split("[teacher]")[0]
    settings = ("steps = 4", "batch_size = 8", "candidates = 1", "article_block = 4")
    losses = ("kd = 0.0", "alpha = 0.0", "beta = 1.0")
    recipe.write_text("\n".join([f"{head}[distillation]", *settings, *losses]))
    done = qgdr("train", recipe, "--data", data, "--output", tmp_path / "run")
    assert done.exit_code == 0, done.output
    assert not any(row.negatives for row in read_candidates(tmp_path / "run" / "1-mine" / "mined.jsonl.gz"))
    assert "what the data gives; nothing is searched" in qgdr("train", recipe, "--dry-run").output
    assert (tmp_path / "run" / "encoder" / "README.md").is_file()
    # Rows that were not mined do not stand for rows that are.
    other = ("--output", tmp_path / "other", "--reuse", tmp_path / "run")
    done = qgdr("train", recipe, "--data", data, *other, "--set", "distillation.candidates=3")
    assert done.exit_code == 0, done.output
    assert all(row.negatives for row in read_candidates(tmp_path / "other" / "1-mine" / "mined.jsonl.gz"))
