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
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.train.batches import BagBatches, BagTokenizer
from qgdr_pyserini.train.code_switching import CodeSwitcher
from qgdr_pyserini.train.holdout import split_by_article
from qgdr_pyserini.train.losses.contrastive import contrastive_loss
from qgdr_pyserini.train.pairs import ByLanguage, CropPairs, QueryPairs, TranslationPairs
from qgdr_pyserini.train.pipeline import train_encoder
from qgdr_pyserini.train.plan import describe
from qgdr_pyserini.train.recipe import SourceSettings, load_recipe

RIVERS = ["Danube", "Rhine", "Elbe", "Volga", "Tagus", "Loire", "Seine", "Rhone", "Ebro", "Po"]
TINY = (
    "vocabulary.size=400",
    "student.dimension=16",
    "holdout=0.2",
    "contrastive.steps=12",
    "contrastive.save_steps=4",
    "description=a test",
    *(f"contrastive.sources.{name}.batch_size=8" for name in (
        "queries", "code_switched_queries", "questions", "sentences", "lexicon", "names", "crops",
        "code_switched_crops",
    )),
)  # fmt: skip


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


def test_crops_come_from_their_passage(data):
    pairs = CropPairs(data.passages.values(), shortest=3, longest=5).draw(50, np.random.default_rng(0))
    for pair in pairs:
        assert pair.query in data.passages[pair.key].text
        assert 3 <= len(pair.query.split()) <= 5
        assert pair.passage.startswith(data.passages[pair.key].title)
    stays = sum(pair.passage.endswith(data.passages[pair.key].text) for pair in pairs)
    assert 5 < stays < 45


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


def test_a_batch_depends_on_seed_and_number_alone(data, tiny_encoder):
    tokenizer = DualEncoder.from_pretrained(tiny_encoder).tokenizer
    settings = SourceSettings(weight=1.0, batch_size=4)
    sources = [
        (QueryPairs(data.queries, data.passages, 0.5), settings),
        (TranslationPairs(data.sentences, 0.5), settings),
    ]
    recurring = [f"{row.title}\n{row.text}" for row in data.passages.values()]
    first, second = (BagBatches(sources, tokenizer, (32, 64), known, 20, 3) for known in (recurring, []))
    for step in (7, 0, 19):
        ours, theirs = first[step], second[step]
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert not torch.equal(first[0]["query_ids"], first[1]["query_ids"])


def test_bags_are_cut_and_put_end_to_end(tiny_encoder):
    tokenizer = DualEncoder.from_pretrained(tiny_encoder).tokenizer
    ids, offsets = BagTokenizer(tokenizer, 4, ["abcdef"])(["a", "abcdef", "bc"])
    rows = [tokenizer(text, truncation=True, max_length=4)["input_ids"] for text in ("a", "abcdef", "bc")]
    assert ids.tolist() == [token for row in rows for token in row]
    assert offsets.tolist() == [0, 3, 7]


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
        ("contrastive.step=3", "did you mean 'steps'"),
        ("contrastive.sources.query.weight=1", "did you mean 'queries'"),
        ("contrastive.steps=many", "contrastive.steps"),
        ("contrastive.steps=-1", "greater than or equal to 1"),
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
    assert "52,000 subwords" in describe(load_recipe("qgdr"))


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
        ("lexicon.tsv.gz", None, "no such file"),
    ],
)  # fmt: skip
def test_malformed_training_files_are_named(training_folder, name, line, message):
    (training_folder / name).unlink()
    if line is not None:
        write_gzip(training_folder / name, [line])
    with pytest.raises(InputError, match=f"{name}.*{message}"):
        read_training_set(training_folder)


def test_the_whole_pipeline_resumes_to_the_same_weights(training_folder, tmp_path):
    recipe = load_recipe("qgdr", TINY)
    whole = train_encoder(recipe, training_folder, tmp_path / "whole", resume=False)
    encoder = DualEncoder.from_pretrained(whole)
    assert encoder.encode_queries(["Wo entspringt Danube?"]).shape == (1, 16)
    card = (whole / "README.md").read_text()
    assert "SQuAD 1.1 and 2.0 dev" in card
    assert "CC BY-SA 4.0" in card
    assert json.loads((whole / "training.json").read_text())["recipe"]["seed"] == recipe.seed

    shutil.copytree(tmp_path / "whole", tmp_path / "stopped")
    shutil.rmtree(tmp_path / "stopped" / "encoder")
    shutil.rmtree(tmp_path / "stopped" / "contrastive" / "checkpoint-12")
    with pytest.raises(QgdrError, match="--resume"):
        train_encoder(recipe, training_folder, tmp_path / "stopped", resume=False)
    resumed = train_encoder(recipe, training_folder, tmp_path / "stopped", resume=True)
    ours, theirs = (load_file(folder / "model.safetensors") for folder in (whole, resumed))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)

    other = load_recipe("qgdr", [*TINY, "contrastive.steps=13"])
    with pytest.raises(QgdrError, match=r"contrastive.steps: 12 there, 13 here"):
        train_encoder(other, training_folder, tmp_path / "stopped", resume=True)
