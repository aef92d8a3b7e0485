"""What a recipe says of its student: prefixes, dropout, a smaller vocabulary, frozen parts."""

import hub_layouts
import pytest
import torch
from click.testing import CliRunner
from transformers import AutoConfig

from qgdr_pyserini.cli import main
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.padding import encode_chunks, in_chunks
from qgdr_pyserini.train.distillation import freeze

RECIPE = """
name = "qgdr-pruned"
description = "A tiny encoder from a pruned checkpoint"
seed = 3

[student]
query_prefix = "query: "
passage_prefix = "passage: "
query_max_length = 32
passage_max_length = 64
dropout = 0.0

[student.prune]
min_count = 40

[data]
limit_per_language = 3
unanswerable = false

[distillation]
steps = 2
batch_size = 4
candidates = 1
kd = 0.0
alpha = 0.0
beta = 1.0
freeze_vectors = true
freeze_layers = 1
"""


@pytest.fixture(scope="module")
def pruned_run(invented_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pruned")
    checkpoint = hub_layouts.xlm_roberta(folder / "xlm-roberta")
    (folder / "recipe.toml").write_text(RECIPE)
    arguments = ["train", folder / "recipe.toml", "--data", invented_folder, "--output", folder / "run"]
    done = CliRunner().invoke(main, [*map(str, arguments), "--set", f"student.checkpoint={checkpoint}"])
    assert done.exit_code == 0, done.output
    return folder / "run"


@pytest.fixture
def encoder(tiny_encoder):
    return DualEncoder.from_pretrained(tiny_encoder)


def trainable(encoder):
    return {name for name, weight in encoder.model.named_parameters() if weight.requires_grad}


def test_frozen_vectors_leave_the_rest_trainable(encoder):
    everything = trainable(encoder)
    freeze(encoder, vectors=True, layers=0)
    assert everything - trainable(encoder) == {"embeddings.word_embeddings.weight"}


def test_frozen_layers_go_with_all_that_comes_before_them(encoder):
    freeze(encoder, vectors=False, layers=1)
    left = trainable(encoder)
    assert not any(name.startswith(("embeddings.", "encoder.layer.0.")) for name in left)
    assert any(name.startswith("encoder.layer.1.") for name in left)
    freeze(encoder, vectors=False, layers=0)
    assert "encoder.layer.0.output.dense.weight" in trainable(encoder)


def test_more_frozen_layers_than_there_are_is_one_line(encoder):
    with pytest.raises(QgdrError, match="freeze_layers 3: the student has 2 layers"):
        freeze(encoder, vectors=False, layers=3)


def test_a_batch_in_chunks_has_the_vectors_of_its_texts(encoder):
    texts = ["donau", "wo ist die donau?", "a", "where does it rise" * 3, "大人"]
    rows = encoder.passage_tokens(texts)
    chunks = in_chunks(rows, encoder.tokenizer.pad_token_id, tokens=20)
    assert len(chunks["parts"]) > 1
    with torch.no_grad():
        found = encode_chunks(encoder, chunks)
    torch.testing.assert_close(found, torch.from_numpy(encoder.encode_passages(texts)), atol=1e-6, rtol=0)


def test_a_student_from_a_checkpoint_takes_prefixes_dropout_and_vocabulary_from_the_recipe(pruned_run):
    encoder = DualEncoder.from_pretrained(pruned_run / "encoder")
    assert (encoder.config.query_prefix, encoder.config.passage_prefix) == ("query: ", "passage: ")
    config = AutoConfig.from_pretrained(pruned_run / "encoder")
    assert (config.hidden_dropout_prob, config.attention_probs_dropout_prob) == (0.0, 0.0)
    assert len(encoder.tokenizer) == config.vocab_size < 300
    before = DualEncoder.from_pretrained(pruned_run / "student" / "model").model.state_dict()
    after = encoder.model.state_dict()
    changed = {name for name in after if not torch.equal(after[name], before[name])}
    assert changed
    assert all("encoder.layer.1" in name or name.startswith("pooler") for name in changed)
    card = (pruned_run / "encoder" / "README.md").read_text(encoding="utf-8")
    assert "put `query: ` before questions and `passage: ` before passages" in card
