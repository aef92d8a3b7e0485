"""A student from an English encoder: vocabulary, subword vectors from translations, training."""

import gzip
import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tokenizers import BertWordPieceTokenizer
from training_slices import cut
from transformers import AutoModel, BertConfig, BertModel

from qgdr_pyserini.collection.training_set import read_training_set
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.config import EncoderConfig
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.loading import ModelSource, load_tokenizer
from qgdr_pyserini.train.embedding_start import _csr, _only_columns, _ridge, _transposed, extend_vocabulary
from qgdr_pyserini.train.embedding_start_settings import EmbeddingStartSettings
from qgdr_pyserini.train.pair_settings import SourceSettings
from qgdr_pyserini.train.pairs import QueryPairs, SamePairs, TranslationPairs
from qgdr_pyserini.train.pipeline import RunOptions, train_encoder
from qgdr_pyserini.train.plan import describe
from qgdr_pyserini.train.recipe import load_recipe
from qgdr_pyserini.train.recipe_settings import VocabularySettings
from qgdr_pyserini.train.text_form import normalizer, pre_tokenizer
from qgdr_pyserini.train.translation_batches import TranslationBatches
from qgdr_pyserini.train.vocabulary import learn_vocabulary

WORDS = VocabularySettings(size=6000, lines_per_language=200, whole_words=20)


@pytest.fixture(scope="module")
def slice_folder(shared_data, tmp_path_factory):
    return cut(shared_data / "train", tmp_path_factory.mktemp("slice") / "train")


@pytest.fixture(scope="module")
def data(slice_folder):
    return read_training_set(slice_folder)


@pytest.fixture(scope="module")
def english_folder(data, tmp_path_factory):
    """An English encoder as small as can be: uncased WordPiece, one layer."""
    folder = tmp_path_factory.mktemp("english") / "english"
    folder.mkdir()
    tokenizer = BertWordPieceTokenizer()
    texts = [row.contents for row in data.passages.values()]
    tokenizer.train_from_iterator(texts, vocab_size=3000, show_progress=False)
    tokenizer.save_model(str(folder))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer"}))
    torch.manual_seed(3)
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 64}
    BertModel(BertConfig(vocab_size=tokenizer.get_vocab_size(), **sizes)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def english(english_folder):
    return DualEncoder.from_source(ModelSource(checkpoint=str(english_folder)), EncoderConfig())


@pytest.fixture(scope="module")
def tokenizer(data, english):
    return learn_vocabulary(data, WORDS, 1, 64, english.tokenizer)


@pytest.fixture(scope="module")
def extended(english, tokenizer, data):
    return extend_vocabulary(english, tokenizer, data, EmbeddingStartSettings())


def recipe(english_folder, *more):
    small = ("size=6000", "lines_per_language=200", "whole_words=20")
    batches = [name for name, source in load_recipe("qgdr-start").pairs.sources if source.weight]
    return load_recipe(
        "qgdr-start",
        [
            f"student.english={english_folder}", "student.passage_max_length=48", "holdout=0.1",
            *(f"vocabulary.{setting}" for setting in small),
            *(f"pairs.sources.{name}.batch_size=12" for name in batches),
            "translation.steps=9", "translation.save_steps=3", "translation.precision=fp32",
            "negatives.precision=fp32", "distillation.precision=fp32", "distillation.steps=2",
            "distillation.batch_size=4", *more,
        ],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Where was l'Élysée (1981)?", ["▁where", "▁was", "▁l", "'", "▁élysée", "(", "▁1981", ")", "?"]),
        ("在1981年多瑙河 发源", ["在", "▁1981年多瑙河", "发源"]),
        ("إلى المدينة", ["الي", "المدينه"]),
        ("Ёлка и еда́", ["▁елка", "▁и", "▁еда"]),
        ("bắt nguồn", ["▁bắt", "▁nguồn"]),
        ("नदी कहाँ", ["नदी", "कहाँ"]),
    ],
)
def test_text_is_spelled_and_cut_by_its_script(text, pieces):
    cut_text = pre_tokenizer().pre_tokenize_str(normalizer().normalize_str(text))
    assert [piece for piece, _ in cut_text] == pieces


def test_equal_data_gives_an_equal_vocabulary_with_the_english_one_in_it(tokenizer, data, english):
    again = learn_vocabulary(data, WORDS, 1, 64, english.tokenizer)
    assert again.backend_tokenizer.to_str() == tokenizer.backend_tokenizer.to_str()
    assert tokenizer.tokenize("the") == ["▁the"]
    assert {"▁the", "▁of", "?"} <= set(tokenizer.get_vocab())
    alone = learn_vocabulary(data, WORDS, 1, 64)
    assert len(alone) < len(tokenizer)
    assert tokenizer.decode(tokenizer("Wo ist die Stadt?")["input_ids"], skip_special_tokens=True)


def test_an_english_encoder_of_another_kind_is_refused(data, tokenizer):
    with pytest.raises(QgdrError, match="its vocabulary is Unigram, not WordPiece; name an English encoder"):
        learn_vocabulary(data, WORDS, 1, 64, tokenizer)


def test_frequent_words_are_whole_where_the_recipe_asks_for_it(data):
    few = learn_vocabulary(data, WORDS.model_copy(update={"whole_words": 0}), 1, 64)
    more = learn_vocabulary(data, WORDS, 1, 64)
    added = set(more.get_vocab()) - set(few.get_vocab())
    assert added
    assert all(len(more.tokenize(word.removeprefix("▁"))) <= len(few.tokenize(word.removeprefix("▁")))
               for word in sorted(added)[:200])  # fmt: skip


def test_english_words_keep_their_vectors_and_others_are_fitted(extended, english, tokenizer, data):
    table = extended.model.get_input_embeddings().weight
    theirs = english.model.get_input_embeddings().weight
    old, new = english.tokenizer.get_vocab(), tokenizer.get_vocab()
    for word in ("the", "of", "[CLS]", "[SEP]"):
        torch.testing.assert_close(
            table[new[word if word.startswith("[") else f"▁{word}"]], theirs[old[word]]
        )
    rows = [row for row in data.lexicon if len(tokenizer.tokenize(row.text)) == 1][:300]

    def mean(encoder, texts):
        weight = encoder.model.get_input_embeddings().weight
        ids = encoder.tokenizer(texts, add_special_tokens=False)["input_ids"]
        return torch.stack([weight[row].mean(dim=0) for row in ids])

    with torch.no_grad():
        ours = mean(extended, [row.text for row in rows])
        meant = mean(english, [row.english for row in rows])
        others = meant.roll(1, dims=0)
        near, far = ((ours - one).norm(dim=1).mean() for one in (meant, others))
    assert near < 0.8 * far


def test_ridge_regression_is_that_of_linear_algebra():
    rng = np.random.default_rng(0)
    dense = rng.integers(0, 3, (40, 7)) * (rng.random((40, 7)) < 0.4)
    targets = rng.standard_normal((40, 3)).astype(np.float32)
    rows, columns = dense.nonzero()
    ends = torch.from_numpy(np.bincount(rows, minlength=40)).cumsum(0)
    sparse = _csr(
        torch.cat([ends.new_zeros(1), ends]), torch.from_numpy(columns),
        torch.from_numpy(dense[rows, columns].astype(np.float32)), dense.shape,
    )  # fmt: skip
    settings = EmbeddingStartSettings(ridge=0.5, iterations=30)
    found = _ridge(sparse, torch.from_numpy(targets), settings, lambda line: None)
    expected = np.linalg.solve(dense.T @ dense + 0.5 * np.eye(7), dense.T @ targets)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-4)
    np.testing.assert_array_equal(_transposed(sparse).to_dense().numpy(), dense.T)
    kept = torch.tensor([True, False, True, True, False, False, True])
    np.testing.assert_array_equal(_only_columns(sparse, kept).to_dense().numpy(), dense[:, kept.numpy()])


def test_a_batch_depends_on_its_number_only_and_knows_its_passages(tokenizer, english, data):
    contents = [row.contents for row in data.passages.values()]
    settings = SourceSettings(weight=1.0, batch_size=16)

    def batch(source, number=2):
        lengths = (16, 64)
        return TranslationBatches(
            [(source, settings)], tokenizer, english.tokenizer, lengths, contents, 5, 1
        )[number]

    queries = batch(QueryPairs(data.queries, data.passages, 0.5))
    assert (queries["passages"] >= 0).all()
    assert not queries["same"].any()
    assert queries["english"] == []
    assert max(chunk["input_ids"].shape[1] for chunk in queries["texts"]) <= 16
    sentences = batch(TranslationPairs(data.sentences, 0.5))
    assert (sentences["passages"] == -1).all()
    assert sentences["same"].all()
    assert (
        sorted(sentences["order"].tolist()) == sorted(sentences["english_order"].tolist()) == list(range(16))
    )
    passages = batch(SamePairs((text, text) for text in contents))
    assert passages["same"].all()
    assert (passages["passages"] >= 0).all()
    again = batch(TranslationPairs(data.sentences, 0.5))
    assert all(torch.equal(a["input_ids"], b["input_ids"])
               for a, b in zip(sentences["texts"], again["texts"], strict=True))  # fmt: skip


class Stopped(Exception):
    """What stands for a run that is stopped."""


def test_the_recipe_runs_and_resumes_to_the_same_weights(english_folder, slice_folder, tmp_path, monkeypatch):
    whole = train_encoder(recipe(english_folder), slice_folder, tmp_path / "whole")
    record = json.loads((whole / "training.json").read_text())
    assert list(record["stages"]) == ["vocabulary", "extension", "translation", "1-mine", "1-distil"]
    assert "bert of 1 layers" in (whole / "README.md").read_text()

    draw = TranslationBatches.__getitem__

    def draw_or_stop(self, step):
        if step == 8:
            raise Stopped
        return draw(self, step)

    with monkeypatch.context() as patch:
        patch.setattr(TranslationBatches, "__getitem__", draw_or_stop)
        with pytest.raises(Stopped):
            train_encoder(recipe(english_folder), slice_folder, tmp_path / "parts")
    assert [*(tmp_path / "parts" / "translation").glob("checkpoint-*")]
    parts = train_encoder(recipe(english_folder), slice_folder, tmp_path / "parts", RunOptions(resume=True))
    ours, theirs = (load_file(folder / "model.safetensors") for folder in (parts, whole))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name].float(), theirs[name].float()) for name in ours)


def test_translations_come_nearer_to_their_english(
    extended, english, data, english_folder, slice_folder, tmp_path
):
    longer = recipe(english_folder, "translation.steps=60", "translation.learning_rate=1e-3")
    train_encoder(longer, slice_folder, tmp_path / "run")
    taught = DualEncoder.from_pretrained(tmp_path / "run" / "translation" / "model")
    rows = data.questions[::10]
    meant = english.encode_queries([row.english for row in rows])

    def place(encoder):
        """How many other English questions lie nearer to a question than its own."""
        scores = encoder.encode_queries([row.text for row in rows]) @ meant.T
        return (scores > np.diag(scores)[:, None]).sum(axis=1).mean()

    assert place(taught) < 0.8 * place(extended)


def test_eight_bits_on_disk_load_everywhere_in_single_precision(extended, tmp_path):
    extended.save_pretrained(tmp_path / "small", torch.float8_e4m3fn)
    saved = load_file(tmp_path / "small" / "model.safetensors")
    kinds = {tensor.dtype for tensor in saved.values() if tensor.dim() > 1}
    assert kinds == {torch.float8_e4m3fn}
    assert {tensor.dtype for tensor in saved.values() if tensor.dim() == 1} <= {torch.float32, torch.int64}
    model = AutoModel.from_pretrained(tmp_path / "small")
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    texts = ["Wo entspringt die Donau?", "Where does the Danube rise?"]
    small = DualEncoder.from_pretrained(tmp_path / "small").encode_queries(texts)
    assert ((small * extended.encode_queries(texts)).sum(axis=1) > 0.99).all()


def test_the_plan_names_the_stages():
    plan = describe(load_recipe("qgdr-start"))
    for stage in ("vocabulary", "extension", "translation"):
        assert f"| {stage} " in plan


def test_texts_without_subwords_do_not_stop_the_fit(english, tokenizer, data, tmp_path):
    folder = cut_with_empty_line(tmp_path, data)
    fitted = extend_vocabulary(
        english, tokenizer, read_training_set(folder), EmbeddingStartSettings(iterations=2)
    )
    assert torch.isfinite(fitted.model.get_input_embeddings().weight).all()


def cut_with_empty_line(tmp_path, data):
    """A training folder with a sentence of nothing but a vowel sign, which spelling takes away."""
    folder = tmp_path / "train"
    folder.mkdir()
    passage = next(iter(data.passages.values()))
    fields = {"docid": "p", "title": passage.title, "text": passage.text, "source": "squad-dev"}
    query = {"query_id": "q", "lang": "en", "query": "who?", "docid": "p", "source": "mkqa"}
    files = {
        "passages.jsonl": json.dumps(fields), "queries.jsonl": json.dumps(query),
        "question-translations.tsv": "de\twer?\twho?\tmkqa", "sentences.tsv": "ar\t\u064b\twho\ttico-19",
        "lexicon.tsv": "de\tMeer\tsea\twiktionary", "names.tsv": "ru\tДунай\tdanube\twikidata-names",
    }  # fmt: skip
    for name, line in files.items():
        with gzip.open(folder / f"{name}.gz", "wt", encoding="utf-8") as file:
            file.write(line + "\n")
    return folder


def test_the_vocabulary_folder_is_a_tokenizer(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    again = load_tokenizer(str(tmp_path))
    assert again("Wo ist die Stadt?")["input_ids"] == tokenizer("Wo ist die Stadt?")["input_ids"]
