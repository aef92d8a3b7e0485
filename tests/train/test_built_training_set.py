"""``qgdr train`` with a folder that ``qgdr collection build training-set`` made of published layouts."""

import json
from collections import defaultdict

import hub_layouts
from click.testing import CliRunner
from invented_towns import LANGUAGES, all_texts

from qgdr_pyserini.cli.main import main
from qgdr_pyserini.collection.jsonl import read_objects
from qgdr_pyserini.files import read_lines
from qgdr_pyserini.model.dual_encoder import DualEncoder

RECIPE = """
name = "qgdr-small"
description = "A test"
seed = 3
holdout = 0.2

[student]
checkpoint = "{student}"

[negatives]
negatives = 3
depth = 8

[distillation]
steps = 2
batch_size = 4
candidates = 3
kd = 0.0
alpha = 0.0
beta = 1.0
"""


def as_squad(passages, queries):
    """Write passages and queries in SQuAD's layout, by the docid without language."""
    asked = defaultdict(list)
    for query in queries:
        answer = {"text": "so", "answer_start": 0}
        asked[query["docid"]].append({"id": query["docid"], "question": query["query"], "answers": [answer]})
    articles = defaultdict(list)
    for passage in passages:
        articles[passage["title"]].append({"context": passage["text"], "qas": asked[passage["docid"]]})
    return {"data": [{"title": title, "paragraphs": texts} for title, texts in articles.items()]}


def publish(folder, source):
    """Write an invented training folder as SQuAD, its translations, and Tatoeba would be published."""
    passages, queries = (
        [row for _, row in read_objects(folder / f"{name}.jsonl.gz")] for name in ("passages", "queries")
    )
    for lang in set(LANGUAGES) & {"en", "es", "it", "da", "sv"}:
        place = source / ("squad" if lang == "en" else f"squad-{lang}")
        place.mkdir(parents=True)
        document = as_squad(passages, [query for query in queries if query["lang"] == lang])
        (place / "train.json").write_text(json.dumps(document))
    (source / "tatoeba").mkdir()
    for _, line in read_lines(folder / "sentences.tsv.gz"):
        lang, text, english, _ = line.split("\t")
        with (source / "tatoeba" / f"{lang}.txt").open("a", encoding="utf-8") as file:
            file.write(f"{english}\t{text}\tby nobody\n")


def run(*words):
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code == 0, result.stderr
    return result.stdout


def test_what_is_built_from_published_sets_trains_an_encoder(invented_folder, tmp_path):
    publish(invented_folder, tmp_path / "published")
    (tmp_path / "recipe").mkdir()
    student = hub_layouts.xlm_roberta(tmp_path / "student", 400, list(all_texts()))
    (tmp_path / "recipe" / "recipe.toml").write_text(RECIPE.replace("{student}", str(student)))
    data = tmp_path / "train"
    said = run("collection", "build", "training-set", "--source", tmp_path / "published", "--output", data)
    assert "squad-da: " in said
    run("train", tmp_path / "recipe", "--data", data, "--output", tmp_path / "run")
    assert DualEncoder.from_pretrained(tmp_path / "run" / "encoder").dimension == 32
    card = (tmp_path / "run" / "encoder" / "README.md").read_text()
    assert "SQuAD train in Danish (ccasimiro88/TranslateAlignRetrieve) | CC BY 4.0" in card
