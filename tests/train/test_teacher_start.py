"""A cross-encoder that starts from its student's layers, and shares of the queries to learn from."""

import dataclasses
import itertools

import hub_layouts
import pytest
import torch
from test_teachers import PASSAGES, QUERIES

from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.collection.tevatron import Candidate, CandidateList
from qgdr_pyserini.model.config import EncoderConfig
from qgdr_pyserini.model.cross_encoder import CrossEncoder
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.loading import ModelSource
from qgdr_pyserini.train.selection import take_share


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    """An encoder with two layers, from a checkpoint in the layout of multilingual BERT."""
    folder = tmp_path_factory.mktemp("student")
    source = ModelSource(checkpoint=str(hub_layouts.mbert(folder / "mbert")))
    DualEncoder.from_source(source, EncoderConfig()).save_pretrained(folder / "model")
    return folder / "model"


def test_a_cross_encoder_takes_all_layers_of_its_student(student):
    theirs = DualEncoder.from_pretrained(student).model.state_dict()
    teacher = CrossEncoder.load(ModelSource(checkpoint=str(student)), seed=1)
    ours = teacher.model.bert.state_dict()
    assert sum("layer.1." in name for name in theirs) > 10
    for name, tensor in theirs.items():
        torch.testing.assert_close(ours[name], tensor, rtol=0, atol=0)
    again, other = (CrossEncoder.load(ModelSource(checkpoint=str(student)), seed=seed) for seed in (1, 2))
    assert torch.equal(teacher.model.classifier.weight, again.model.classifier.weight)
    assert not torch.equal(teacher.model.classifier.weight, other.model.classifier.weight)
    assert teacher.score(QUERIES, PASSAGES).shape == (len(QUERIES), len(PASSAGES))


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
