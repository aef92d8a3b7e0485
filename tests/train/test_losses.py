"""Losses against independent computations in double precision, their gradients, and two processes."""

import math
import subprocess
import sys

import numpy as np
import pytest
import scipy.stats
import torch
from torch import distributed
from torch.autograd import gradcheck
from torch.nn.functional import cross_entropy

from qgdr_pyserini.losses.alignment import AgreementSettings, AlignmentSettings, agreement, alignment_loss
from qgdr_pyserini.losses.contrastive import HardNegatives, contrastive_loss
from qgdr_pyserini.losses.distillation import distillation_loss, extend_by_batch
from qgdr_pyserini.losses.ranking import ranking_loss
from qgdr_pyserini.train.sampling import LanguageSampler, SamplerSettings
from qgdr_pyserini.train.trainer import gather

EXACT = {"rtol": 0, "atol": 1e-6}


def random(*shape, seed=0, grad=False):
    tensor = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return tensor.requires_grad_(grad)


MASK = torch.tensor([[True, True, True, True], [True, True, True, False], [True, False, True, True]])


def kl_by_hand(teacher, student, mask, teacher_temperature=1.0, student_temperature=1.0):
    real = [i for i in range(len(mask)) if mask[i]]
    t = [math.exp(float(teacher[i]) / teacher_temperature) for i in real]
    s = [math.exp(float(student[i]) / student_temperature) for i in real]
    p, q = [x / sum(t) for x in t], [x / sum(s) for x in s]
    return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True) if a > 0)


def test_contrastive_loss_with_hard_negatives_is_cross_entropy_over_the_full_matrix():
    queries, passages, vectors = random(4, 6), random(4, 6, seed=1), random(5, 6, seed=2)
    keys = torch.tensor([0, 1, 2, 3])
    negatives = HardNegatives(vectors, torch.tensor([9, 1, 8, 7, 6]), torch.tensor([1, 1, 1, 0, 1]).bool())
    matrix = torch.cat([queries @ passages.T, queries @ vectors.T], dim=1) / 0.2
    matrix[1, 4 + 1] = -math.inf  # the second negative is the second query's own passage
    matrix = matrix[:, [0, 1, 2, 3, 4, 5, 6, 8]]  # without the padding
    expected = cross_entropy(matrix, torch.arange(4))
    ours = contrastive_loss(queries, passages, keys, 0.2, negatives, symmetric=False)
    torch.testing.assert_close(ours, expected, **EXACT)
    reverse = cross_entropy(passages @ queries.T / 0.2, torch.arange(4))
    both = contrastive_loss(queries, passages, keys, 0.2, negatives)
    torch.testing.assert_close(both, (expected + reverse) / 2, **EXACT)


@pytest.mark.parametrize(("student_temperature", "teacher_temperature"), [(1.0, 1.0), (0.05, 0.3)])
def test_distillation_loss_is_kl_by_hand(student_temperature, teacher_temperature):
    student, teacher = random(3, 4), random(3, 4, seed=1)
    by_hand = [
        kl_by_hand(teacher[i], student[i], MASK[i], teacher_temperature, student_temperature)
        for i in range(3)
    ]
    ours = distillation_loss(student, teacher, MASK, student_temperature, teacher_temperature)
    assert ours.item() == pytest.approx(sum(by_hand) / 3, abs=1e-6)


def test_padding_has_no_say():
    student, teacher = random(3, 4), random(3, 4, seed=1)
    before = distillation_loss(student, teacher, MASK)
    changed = distillation_loss(student.masked_fill(~MASK, 1e4), teacher.masked_fill(~MASK, -1e4), MASK)
    assert torch.equal(before, changed)


def test_in_batch_candidates_are_counted_once_and_have_no_teacher():
    queries, passages = random(2, 3), random(2, 3, 3, seed=1)
    passages[1, 0] = passages[0, 2]
    keys = torch.tensor([[1, 2, 3], [3, 4, 0]])
    mask = torch.tensor([[True, True, True], [True, True, False]])
    teacher = random(2, 3, seed=2)
    extended = extend_by_batch(queries, passages, keys, teacher, mask)
    flat = passages.flatten(0, 1)
    expected = 0.0
    for i, columns in enumerate(([0, 1, 2, 4], [0, 1, 3, 4])):
        own = [0, 1, 2] if i == 0 else [3, 4]
        log_t = teacher.flatten()[own].log_softmax(0)
        log_s = dict(zip(columns, (flat[columns] @ queries[i]).log_softmax(0), strict=True))
        expected += sum(p.exp() * (p - log_s[c]) for p, c in zip(log_t, own, strict=True)) / 2
    torch.testing.assert_close(distillation_loss(*extended), expected, **EXACT)


def test_ranking_loss_is_cross_entropy():
    scores = random(3, 4)
    expected = [-(scores[i][MASK[i]] / 0.5).log_softmax(0)[0] for i in range(3)]
    torch.testing.assert_close(ranking_loss(scores, MASK, 0.5), torch.stack(expected).mean(), **EXACT)


@pytest.mark.parametrize("direction", ["forward", "reverse", "both"])
def test_alignment_loss_is_weighted_kl_by_hand(direction):
    source, generated = random(3, 4), random(3, 4, seed=1)
    weights = torch.tensor([0.9, 0.49, 0.5], dtype=torch.float64)
    forward, reverse = (
        [kl_by_hand(a[i], b[i], MASK[i], 0.5, 0.5) for i in range(3)]
        for a, b in ((source, generated), (generated, source))
    )
    both = [(f + r) / 2 for f, r in zip(forward, reverse, strict=True)]
    kl = {"forward": forward, "reverse": reverse, "both": both}[direction]
    settings = AlignmentSettings(direction=direction, temperature=0.5)
    ours = alignment_loss(source, generated, weights, MASK, settings)
    assert ours.item() == pytest.approx((0.9 * kl[0] + 0.5 * kl[2]) / 3, abs=1e-6)


def test_the_source_query_is_trained_only_if_asked():
    weights = torch.ones(3, dtype=torch.float64)
    for train_source in (False, True):
        source, generated = random(3, 4, grad=True), random(3, 4, seed=1, grad=True)
        settings = AlignmentSettings(train_source=train_source)
        alignment_loss(source, generated, weights, MASK, settings).backward()
        assert generated.grad.abs().sum() > 0
        assert (source.grad is not None) == train_source


def test_agreement_is_the_correlation_of_the_teachers_distributions():
    source, generated = random(3, 4), random(3, 4, seed=1)
    generated[0, 1] = generated[0, 2]
    for measure, correlate in (("pearson", scipy.stats.pearsonr), ("spearman", scipy.stats.spearmanr)):
        ours = agreement(source, generated, MASK, AgreementSettings(temperature=0.7, measure=measure))
        for i in range(3):
            p, q = ((x[i][MASK[i]] / 0.7).softmax(0).numpy() for x in (source, generated))
            assert ours[i].item() == pytest.approx(correlate(p, q).statistic, abs=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_constant_distribution_agrees_with_nothing(dtype):
    constant, mask = torch.full((1, 7), -3.1, dtype=dtype), torch.ones(1, 7, dtype=torch.bool)
    for measure in ("pearson", "spearman"):
        settings = AgreementSettings(measure=measure)
        assert agreement(constant, random(1, 7).to(dtype), mask, settings).item() == 0
        assert agreement(constant, constant, mask, settings).item() == 0


def test_gradients_are_right():
    vectors = [random(3, 5, seed=i, grad=True) for i in range(3)]
    keys, real = torch.tensor([0, 1, 1]), torch.tensor([True, True, False])
    negative_keys = torch.tensor([0, 5, 6])
    for symmetric in (True, False):
        assert gradcheck(
            lambda q, p, n, symmetric=symmetric: contrastive_loss(
                q, p, keys, 0.5, HardNegatives(n, negative_keys, real), symmetric=symmetric
            ),
            vectors,
        )
    teacher = random(3, 4, seed=9)
    teacher[0, 1] = -math.inf
    assert gradcheck(lambda s: distillation_loss(s, teacher, MASK, 0.5, 0.7), random(3, 4, grad=True))
    assert gradcheck(lambda s: ranking_loss(s, MASK, 0.5), random(3, 4, grad=True))
    weights = torch.tensor([0.9, 0.1, 0.7], dtype=torch.float64)
    for direction in ("forward", "reverse", "both"):
        settings = AlignmentSettings(direction=direction, train_source=True)
        assert gradcheck(
            lambda a, b, settings=settings: alignment_loss(a, b, weights, MASK, settings),
            (random(3, 4, grad=True), random(3, 4, seed=1, grad=True)),
        )
    card = torch.tensor([[1, 2], [2, 3], [4, 0]])
    mask = torch.tensor([[True, True], [True, True], [True, False]])
    assert gradcheck(
        lambda q, p: distillation_loss(*extend_by_batch(q, p, card, random(3, 2, seed=5), mask)),
        (random(3, 4, grad=True), random(3, 2, 4, seed=3, grad=True)),
    )


def global_batch():
    """Four queries with three candidates each, and a generated query for each of them."""
    keys = torch.tensor([[0, 4, 5], [1, 4, 6], [2, 0, 7], [3, 8, 9]])
    mask = torch.tensor([[True] * 3, [True, True, False], [True] * 3, [True] * 3])
    weights = torch.tensor([0.9, 0.2, 0.8, 0.6], dtype=torch.float64)
    return [random(4, 5, seed=1), random(4, 5, seed=2), random(4, 3, 5, seed=3), keys, mask,
            random(4, 3, seed=4), weights]  # fmt: skip


def all_losses(tower, batch):
    """Each loss as a stage computes it, from the part of the batch that this process has."""
    queries, generated, passages, keys, mask, teacher, weights = batch
    q, g, p = tower(queries), tower(generated), tower(passages)
    own, own_generated = ((x.unsqueeze(1) * p).sum(dim=2) for x in (q, g))
    hard = HardNegatives(
        gather(p[:, 1:].flatten(0, 1)), gather(keys[:, 1:].flatten()), gather(mask[:, 1:].flatten())
    )
    wide = extend_by_batch(gather(q), gather(p), gather(keys), gather(teacher), gather(mask))
    return {
        "contrastive": contrastive_loss(gather(q), gather(p[:, 0]), gather(keys[:, 0]), 0.3, hard),
        "distillation": distillation_loss(own, teacher, mask, 0.5, 0.4),
        "distillation in batch": distillation_loss(*wide, 0.5, 0.4),
        "alignment": alignment_loss(own, own_generated, weights, mask, AlignmentSettings(train_source=True)),
    }


def tower_of_its_own():
    tower = torch.nn.Linear(5, 4, dtype=torch.float64)
    with torch.no_grad():
        tower.weight.copy_(random(4, 5, seed=7))
        tower.bias.copy_(random(4, seed=8))
    return tower


def losses_and_gradients(batch):
    found = {}
    for name in all_losses(tower_of_its_own(), batch):
        module = tower_of_its_own()
        loss = all_losses(module, batch)[name]
        loss.backward()
        found[name] = (loss.detach(), module.weight.grad, module.bias.grad)
    return found


def one_of_two_processes(results):
    """What torchrun starts twice; see the end of this file."""
    distributed.init_process_group("gloo")
    rank = distributed.get_rank()
    part = [tensor[2 * rank : 2 * rank + 2] for tensor in global_batch()]
    # The gradients of a data-parallel step are the processes' mean, as its loss is.
    found = losses_and_gradients(part)
    for tensors in found.values():
        for tensor in tensors:
            distributed.all_reduce(tensor)
            tensor /= 2
    torch.save(found, f"{results}.{rank}")
    distributed.destroy_process_group()


def test_two_processes_of_torchrun_have_the_losses_and_gradients_of_one(tmp_path):
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    subprocess.run([*torchrun, __file__, str(tmp_path / "found")], check=True, timeout=120)
    expected = losses_and_gradients(global_batch())
    for rank in range(2):
        found = torch.load(tmp_path / f"found.{rank}")
        for name, tensors in expected.items():
            for ours, theirs in zip(found[name], tensors, strict=True):
                torch.testing.assert_close(
                    ours, theirs, rtol=0, atol=1e-12, msg=lambda m, n=name: f"{n}: {m}"
                )


def test_the_sampler_goes_from_sharp_to_flat():
    means = {"de": 0.9, "es": 0.85, "zh": 0.6}
    for shape in ("geometric", "linear"):
        sampler = LanguageSampler(means, SamplerSettings(shape=shape), steps=1000, seed=3)
        best = [sampler.weights(step)["de"] for step in range(0, 1001, 100)]
        assert best == sorted(best, reverse=True)
        for step in (0, 500, 1000, 2000):
            assert sum(sampler.weights(step).values()) == pytest.approx(1)
        drawn = [sampler.draw(0, row, means) for row in range(2000)]
        assert drawn.count("de") / 2000 == pytest.approx(sampler.weights(0)["de"], abs=0.04)
        assert {sampler.draw(0, row, {"zh"}) for row in range(5)} == {"zh"}
    assert sampler.weights(5000) == sampler.weights(1000)
    assert np.ptp(list(sampler.weights(1000).values())) < 0.2


def test_the_sampler_draws_by_seed_step_and_row_alone():
    means = {"de": 0.5, "es": 0.5, "zh": 0.5}
    first, second, other = (LanguageSampler(means, SamplerSettings(), 10, seed) for seed in (1, 1, 2))
    rows = [(step, row) for step in range(10) for row in range(10)]
    drawn = [first.draw(*place, means) for place in rows]
    assert drawn == [second.draw(*place, set(means)) for place in reversed(rows)][::-1]
    assert drawn != [other.draw(*place, means) for place in rows]


if __name__ == "__main__":
    one_of_two_processes(sys.argv[1])
