"""Encoders that sentence-transformers saved, and bare transformers: the same vectors as theirs."""

import dataclasses

import faiss
import pytest
import torch
from foreign_encoders import WIDTH, assert_close, bare_transformer, saved_by_sentence_transformers
from sentence_transformers import SentenceTransformer
from sentence_transformers.models import Dense, Normalize

from qgdr_pyserini.collection.corpus import Passage, write_corpus
from qgdr_pyserini.encode.encode_corpus import encode_corpus
from qgdr_pyserini.encode.options import EncodingOptions
from qgdr_pyserini.model.config import EncoderOptions
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.inference.precision import lay_out, set_precision

PASSAGES = ["donau", "where does the danube rise?", "中国 大人", "A" * 300]
PASSAGES += ["ab " * n + "c" for n in range(2, 30)]
PASSAGES = ["donau", "where does the danube rise?", "中国 大人", "A" * 300]
PASSAGES += ["ab " * n + "c" for n in range(2, 30)]
TEXTS = [*PASSAGES, ""]
PROMPTS = {"query": "query: ", "passage": "passage: "}


@dataclasses.dataclass(frozen=True)
class Case:
    family: str = "bert"
    pooling: str = "mean"
    padding_side: str = "right"
    layers: tuple = ()
    prompts: dict = dataclasses.field(default_factory=dict)
    alone: bool = False


def dense(outputs=16, **options):
    torch.manual_seed(5)
    return Dense(WIDTH, outputs, **options)


CASES = {
    "bert-mean": Case(),
    "e5-like": Case(layers=(Normalize(),), prompts=PROMPTS),
    "cls-normalised": Case(pooling="cls", layers=(Normalize(),)),
    "max": Case(pooling="max"),
    "weighted-mean-causal": Case("gpt2", "weightedmean"),
    "last-token-right": Case("qwen2", "lasttoken"),
    "last-token-left": Case("qwen2", "lasttoken", "left", (Normalize(),), PROMPTS),
    # With counted positions and padding on the left, their vectors depend on the batch; ours are those alone.
    "last-token-left-counted": Case("gpt2", "lasttoken", "left", alone=True),
    "cls-left-counted": Case("bert", "cls", "left", alone=True),
    "dense": Case(layers=(dense(),)),
    "dense-normalised": Case(
        "t5", layers=(dense(bias=False, activation_function=torch.nn.Identity()), Normalize())
    ),
    "normalised-dense": Case(pooling="cls", layers=(Normalize(), dense(48))),
    "xlm-roberta": Case("xlm-roberta"),
    "mpnet": Case("mpnet", layers=(Normalize(),)),
}


@pytest.fixture(scope="module", params=CASES, ids=list(CASES))
def case(request, tmp_path_factory, tiny_encoder):
    made, folder = CASES[request.param], tmp_path_factory.mktemp("foreign")
    bare = bare_transformer(folder / "bare", tiny_encoder, made.family, padding_side=made.padding_side)
    theirs = saved_by_sentence_transformers(
        folder / "saved", bare, made.pooling, made.layers, made.prompts, max_length=50
    )
    return made, folder / "saved", theirs


def expected(case: Case, theirs: SentenceTransformer, role: str):
    return theirs.encode(TEXTS, prompt=case.prompts.get(role), batch_size=1 if case.alone else 32)


def test_vectors_are_those_of_sentence_transformers(case):
    made, folder, theirs = case
    ours = DualEncoder.from_pretrained(folder)
    assert_close(ours.encode_queries(TEXTS), expected(made, theirs, "query"))
    assert_close(ours.encode_passages(TEXTS), expected(made, theirs, "passage"))
    assert ours.dimension == theirs.get_sentence_embedding_dimension()
    assert ours.config.query_max_length == 50


def test_the_engine_and_laid_out_weights_give_the_same(case, tmp_path):
    made, folder, theirs = case
    write_corpus(tmp_path / "corpus.jsonl", (Passage(f"p{i}", "", text) for i, text in enumerate(PASSAGES)))
    options = EncodingOptions(precision="fp32", batch_tokens=256)
    encode_corpus(tmp_path / "corpus.jsonl", tmp_path / "index", str(folder), options=options)
    index = faiss.read_index(str(tmp_path / "index" / "index"))
    found = index.reconstruct_n(0, index.ntotal)
    assert_close(found, expected(made, theirs, "passage")[:-1])
    ours = lay_out(DualEncoder.from_pretrained(folder)).encode_queries(TEXTS)
    assert_close(ours, expected(made, theirs, "query"))


@pytest.mark.parametrize("family", ["bert", "qwen2", "gpt2", "t5", "mpnet"])
@pytest.mark.parametrize("precision", ["bf16", "int8"])
def test_other_precisions_stay_near(tmp_path, tiny_encoder, family, precision):
    folder = bare_transformer(tmp_path / "bare", tiny_encoder, family)
    options = EncoderOptions(normalize=True)
    exact, coarse = (DualEncoder.from_pretrained(folder, options=options) for _ in range(2))
    set_precision(coarse, precision)
    cosines = (exact.encode_passages(PASSAGES) * coarse.encode_passages(PASSAGES)).sum(axis=1)
    assert cosines.min() > 0.98


def test_rotary_frequencies_stay_in_single_precision_on_a_gpu(tmp_path, tiny_encoder, monkeypatch):
    encoder = DualEncoder.from_pretrained(bare_transformer(tmp_path / "bare", tiny_encoder, "qwen2"))
    monkeypatch.setattr(DualEncoder, "device", torch.device("cuda"))
    set_precision(encoder, "bf16")
    assert {weights.dtype for weights in encoder.model.parameters()} == {torch.bfloat16}
    assert encoder.model.rotary_emb.inv_freq.dtype == torch.float32
