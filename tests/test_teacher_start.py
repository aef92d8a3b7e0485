"""Teachers that start from their student: from its subword vectors, and from its layers."""

import dataclasses
import itertools
import json

import hub_layouts
import numpy as np
import pytest
import torch
from test_teachers import PASSAGES, QUERIES

from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.collection.tevatron import Candidate, CandidateList
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.config import EncoderConfig
from qgdr_pyserini.model.cross_encoder import CrossEncoder
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.loading import ModelSource
from qgdr_pyserini.model.query_generator import QueryGenerator
from qgdr_pyserini.model.teachers import load_teacher
from qgdr_pyserini.train.model_size import source_size
from qgdr_pyserini.train.shares import take_share
from qgdr_pyserini.train.teacher_source import resolve_source, with_configuration
from qgdr_pyserini.train.teacher_start import freeze_vectors, start_from_student

LIKE_STUDENT = {"model_type": "student"}
BOTH_ENDS = {
    "model_type": "encoder-decoder",
    "encoder": LIKE_STUDENT,
    "decoder": {"model_type": "student", "num_hidden_layers": 1},
}


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    """An encoder with two layers, from a checkpoint in the layout of multilingual BERT."""
    torch.manual_seed(0)  # how far its scores lie apart must not depend on the tests before
    folder = tmp_path_factory.mktemp("student")
    source = ModelSource(checkpoint=str(hub_layouts.mbert(folder / "mbert")))
    encoder = DualEncoder.from_source(source, EncoderConfig())
    encoder.save_pretrained(folder / "model")
    return folder / "model"


def like(student, configuration):
    return resolve_source(ModelSource(configuration=configuration, tokenizer="student"), student)


def weights(module):
    return dict(module.state_dict())


def test_a_cross_encoder_takes_all_layers_of_its_student(student):
    encoder = DualEncoder.from_pretrained(student)
    teacher = CrossEncoder.load(like(student, LIKE_STUDENT | {"type_vocab_size": 3}))
    start_from_student(teacher, encoder)
    ours, theirs = weights(teacher.model.bert), weights(encoder.model)
    assert sum("layer.1." in name for name in theirs) > 10
    for name, tensor in theirs.items():
        torch.testing.assert_close(ours[name][: len(tensor)], tensor, rtol=0, atol=0)
    kinds = ours["embeddings.token_type_embeddings.weight"]
    assert kinds.shape[0] == 3
    torch.testing.assert_close(kinds[2], theirs["embeddings.token_type_embeddings.weight"][-1])


def test_a_generator_takes_them_at_both_ends(student):
    encoder = DualEncoder.from_pretrained(student)
    teacher = QueryGenerator.load(like(student, BOTH_ENDS))
    start_from_student(teacher, encoder)
    theirs, decoder = weights(encoder.model), weights(teacher.model.decoder)
    for name, tensor in weights(teacher.model.encoder).items():
        torch.testing.assert_close(tensor, theirs[name], rtol=0, atol=0)
    attention = "encoder.layer.0.{}.self.query.weight"
    for kind in ("attention", "crossattention"):
        torch.testing.assert_close(
            decoder[f"bert.{attention.format(kind)}"], theirs[attention.format("attention")]
        )
    torch.testing.assert_close(
        decoder["cls.predictions.decoder.weight"], theirs["embeddings.word_embeddings.weight"]
    )


@torch.no_grad()
def test_its_scores_are_those_of_the_plain_forward_pass(student):
    """The definition of t(q, p), one pass a token, for a model that is made of two."""
    teacher = QueryGenerator.load(like(student, BOTH_ENDS))
    start_from_student(teacher, DualEncoder.from_pretrained(student))
    teacher.model.double()
    for parameter in teacher.model.decoder.bert.encoder.parameters():
        parameter.mul_(8)  # fresh weights hardly look at the passage
    scores = teacher.score(QUERIES[:4], PASSAGES)
    for (q, query), (p, passage) in itertools.product(enumerate(QUERIES[:4]), enumerate(PASSAGES)):
        prompt = teacher.tokenizer(
            teacher.prompt(passage, query.language).text, return_tensors="pt"
        ).input_ids
        given, total = [teacher.model.config.decoder_start_token_id], 0.0
        target = teacher.tokenizer(query.text).input_ids
        for token in target:
            logits = teacher.model(input_ids=prompt, decoder_input_ids=torch.tensor([given])).logits[0, -1]
            total += (logits[token] - logits.logsumexp(0)).item()
            given.append(token)
        assert scores[q, p] == pytest.approx(total / len(target), abs=1e-5)
    assert np.ptp(scores, axis=1).min() > 1e-4  # ten times what may be off above


def test_what_was_saved_scores_the_same_and_writes_questions(student, tmp_path):
    teacher = QueryGenerator.load(like(student, BOTH_ENDS))
    start_from_student(teacher, DualEncoder.from_pretrained(student))
    teacher.save_pretrained(tmp_path / "teacher")
    again = load_teacher(str(tmp_path / "teacher"))
    assert isinstance(again, QueryGenerator)
    np.testing.assert_allclose(
        again.score(QUERIES, PASSAGES), teacher.score(QUERIES, PASSAGES), rtol=0, atol=1e-5
    )
    assert {query.language for query in again.generate(PASSAGES, ["de", "ru"], 2, seed=1)} == {"de", "ru"}


@pytest.mark.parametrize(
    ("kind", "configuration"), [(CrossEncoder, LIKE_STUDENT), (QueryGenerator, BOTH_ENDS)]
)
def test_frozen_vectors_get_no_gradient_and_all_else_does(student, kind, configuration):
    teacher = kind.load(like(student, configuration))
    freeze_vectors(teacher)
    teacher(**teacher.collate(QUERIES[:2], PASSAGES[:2])).sum().backward()
    without = {name for name, parameter in teacher.named_parameters() if parameter.grad is None}
    # The encoder's pooler takes no part in generating.
    assert {name for name in without if "pooler" not in name} == {
        name for name, _ in teacher.named_parameters() if "word_embeddings" in name
    }


def test_sizes_that_differ_from_the_students_are_named(student):
    encoder = DualEncoder.from_pretrained(student)
    teacher = CrossEncoder.load(like(student, LIKE_STUDENT | {"intermediate_size": 24}))
    with pytest.raises(QgdrError, match=r"the student's encoder\.layer\.0\.intermediate\.dense\.weight is"):
        start_from_student(teacher, encoder)
    with pytest.raises(QgdrError, match="needs the table 'decoder'"):
        QueryGenerator.load(like(student, {"model_type": "encoder-decoder", "encoder": LIKE_STUDENT}))
    with pytest.raises(QgdrError, match="has no key 'layers'"):
        QueryGenerator.load(like(student, BOTH_ENDS | {"layers": 2}))


def test_the_size_of_a_model_like_the_student_is_known_before_it_is_made(student):
    source = ModelSource(configuration=BOTH_ENDS, tokenizer="student")
    size = source_size(source, 0, str(student))
    model = QueryGenerator.load(like(student, BOTH_ENDS)).model
    poolers = sum(p.numel() for name, p in model.named_parameters() if "pooler" in name)
    head = sum(p.numel() for name, p in model.named_parameters() if ".cls." in name)
    count = sum(p.numel() for p in model.parameters())
    assert size.parameters == pytest.approx(count - head + poolers, rel=0.01)
    assert source_size(source, 100, "no-such-student") is None


def test_shares_are_balanced_over_languages_and_lie_within_each_other():
    row = CandidateList("", "?", (Candidate(Passage("1", "", "x")),), (), "en")
    rows = [
        dataclasses.replace(row, query_id=f"{lang}{n}", lang=lang)
        for lang, count in (("en", 200), ("ja", 40), ("yo", 8))
        for n in range(count)
    ]
    shares = [take_share(rows, share) for share in (1, 0.25, 0.05, 0.01)]
    assert shares[0] == rows
    counts = [[sum(row.lang == lang for row in kept) for lang in ("en", "ja", "yo")] for kept in shares]
    assert counts == [[200, 40, 8], [50, 10, 2], [10, 2, 1], [2, 1, 1]]
    ids = [{row.query_id for row in kept} for kept in shares]
    assert all(small < large for large, small in itertools.pairwise(ids))


def test_keys_of_other_versions_in_a_students_configuration_are_left_out(tmp_path):
    file = tmp_path / "config.json"
    theirs = {"model_type": "bert", "hidden_size": 12, "gradient_checkpointing": False, "bos_token_id": None}
    file.write_text(json.dumps(theirs))
    found = with_configuration({"model_type": "student", "num_hidden_layers": 3}, file)
    assert found == {"model_type": "bert", "hidden_size": 12, "num_hidden_layers": 3}
    both = with_configuration({"model_type": "encoder-decoder", "encoder": {"model_type": "student"}}, file)
    assert both["encoder"] == {"model_type": "bert", "hidden_size": 12}
