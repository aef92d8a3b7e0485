"""Fixtures that all tests share."""

import os
from pathlib import Path

import pytest
import torch
from hypothesis import settings
from invented_towns import write_training_folder
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from qgdr_pyserini.model.config import EncoderConfig
from qgdr_pyserini.model.dual_encoder import DualEncoder

REPOSITORY = Path(__file__).resolve().parent.parent

# A busy machine is no failure.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data; QGDR_SHARED names its parent."""
    folder = REPOSITORY / os.environ.get("QGDR_SHARED", "../shared") / "data"
    if not folder.is_dir():
        pytest.skip(
            f"REAL DATA ABSENT: {folder} does not exist; set QGDR_SHARED to the folder that holds data/"
        )
    return folder


@pytest.fixture(scope="session")
def invented_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training folder about towns that do not exist, for tests that every clone can run."""
    return write_training_folder(tmp_path_factory.mktemp("invented") / "train")


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved dual encoder with random weights: two layers, 32 dimensions, one token a character."""
    folder = tmp_path_factory.mktemp("tiny") / "tiny-qgdr"
    tokenizer = _character_tokenizer()
    torch.manual_seed(7)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=128,
    )
    settings = EncoderConfig(query_max_length=32, passage_max_length=64)
    DualEncoder(BertModel(config), tokenizer, settings).save_pretrained(folder)
    return folder


def _character_tokenizer() -> PreTrainedTokenizerFast:
    characters = "abcdefghijklmnopqrstuvwxyz0123456789 .,?äöüßéñаеинорст中国大人?"
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    vocabulary = {token: i for i, token in enumerate([*specials, *dict.fromkeys(characters)])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=64,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
    )
