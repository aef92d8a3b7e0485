"""Tests, intervals and effect sizes: against scipy, by hand, and under the null hypothesis."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import bootstrap, permutation_test

from qgdr_pyserini.evaluate import significance
from qgdr_pyserini.evaluate.languages import by_question, question_numbers
from qgdr_pyserini.evaluate.significance import (
    RANDOMISATIONS,
    intervals,
    randomisation_p_values,
    resampled_means,
)
from qgdr_pyserini.evaluate.statistics import effect_size, summarise


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.1, 1.0]), min_size=1, max_size=8))
def test_few_queries_are_tested_exactly(differences):
    observed = abs(sum(differences))
    swaps = [
        abs(sum(sign * d for sign, d in zip(signs, differences, strict=True)))
        for signs in itertools.product((1, -1), repeat=len(differences))
    ]
    expected = sum(swap >= observed - 1e-9 for swap in swaps) / len(swaps)
    assert randomisation_p_values(np.array(differences)[:, None]).tolist() == [expected]


def test_many_queries_are_tested_as_scipy_does_and_alike_each_time():
    random = np.random.default_rng(1)
    differences = random.choice([-1.0, -0.5, 0.0, 0.5, 1.0], (300, 3)) + np.array([0, 0.05, 0.3])
    p_values = randomisation_p_values(differences)
    expected = permutation_test(
        (differences, np.zeros_like(differences)),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=10_000,
        rng=2,
    ).pvalue
    assert p_values == pytest.approx(expected, abs=0.02)
    assert p_values[2] == 1 / (RANDOMISATIONS + 1)
    assert randomisation_p_values(differences).tolist() == p_values.tolist()


def test_intervals_are_scipys_percentile_intervals():
    values = np.random.default_rng(3).random((200, 2)) ** 3
    found = intervals(resampled_means(values))
    for column, interval in zip(values.T, found, strict=True):
        scipys = bootstrap((column,), np.mean, method="percentile", n_resamples=5_000, rng=4)
        assert interval == pytest.approx(scipys.confidence_interval, abs=0.005)
        assert interval.low < column.mean() < interval.high


def test_effect_sizes():
    assert effect_size(np.array([0.0, 0.0])) == 0.0
    assert effect_size(np.array([0.5, 0.5])) is None
    assert effect_size(np.array([1.0, -1.0, 1.0])) == pytest.approx((1 / 3) / np.std([1, -1, 1], ddof=1))


def test_the_mean_of_languages_has_an_interval_from_resampling_each():
    scores = np.random.default_rng(5).random((120, 1, 2))
    scores[100:, :, 1] += 1
    rows = {"de": slice(0, 100), "es": slice(100, 120), "all queries": slice(0, 120)}
    mean = summarise(scores, rows, np.arange(120), ["m"], ["a", "b"], "a")["m"]["b"].mean
    differences = scores[:, 0, 1] - scores[:, 0, 0]
    assert mean.difference == pytest.approx((differences[:100].mean() + differences[100:].mean()) / 2)
    error = np.sqrt(differences[:100].var(ddof=1) / 100 + differences[100:].var(ddof=1) / 20) / 2
    assert mean.difference_interval.high - mean.difference_interval.low == pytest.approx(
        3.92 * error, rel=0.15
    )


LANGUAGES = ("de", "es", "ru")


def _in(languages, names):
    return {f"xquad-{language}-{name}": language for language in languages for name in names}


@given(st.sets(st.text("ab12-", min_size=1, max_size=4), min_size=1, max_size=9).map(sorted))
def test_translations_are_one_question_whatever_else_is_in_their_ids(names):
    regions = zip(names, ("zh", "zh_cn"), strict=False)
    chinese = {f"xquad-zh_cn-{name}": language for name, language in regions}
    numbers = question_numbers(_in(LANGUAGES, names) | {"q7": "ru"} | chinese)
    own = [*range(len(names))]
    assert numbers.tolist() == [*own * len(LANGUAGES), len(names), *own[: len(chinese)]]


def test_translations_are_no_more_evidence_than_their_question():
    """Six languages in which a system does equally well on each question tell what one of them tells."""
    languages = (*LANGUAGES, "ar", "en", "zh")
    scores = np.random.default_rng(7).random((40, 1, 2))
    questions = question_numbers(_in(languages, range(40)))
    rows = {language: slice(40 * place, 40 * place + 40) for place, language in enumerate(languages)}
    rows["all queries"] = slice(0, 240)
    found = summarise(np.concatenate([scores] * 6), rows, questions, ["m"], ["a", "b"], "a")["m"]["b"]
    one, all_queries = found.languages["de"].against, found.overall.against
    for name in ("p_value", "p_randomisation", "p_holm", "mean"):
        assert getattr(all_queries, name) == pytest.approx(getattr(one, name), rel=1e-9), name
    assert all_queries.interval == pytest.approx(one.interval)
    assert found.mean.difference_interval == pytest.approx(one.interval)
    apart = summarise(np.concatenate([scores] * 6), rows, np.arange(240), ["m"], ["a", "b"], "a")["m"][
        "b"
    ].overall.against
    assert apart.p_value < all_queries.p_value
    assert all_queries.wins + all_queries.ties + all_queries.losses == 240


def test_questions_of_unequal_size_are_drawn_whole():
    random = np.random.default_rng(8)
    sizes = random.integers(1, 6, 300)
    questions = random.permutation(np.repeat(np.arange(300), sizes))
    values = (random.random(300)[questions] + 0.1 * random.random(len(questions)))[:, None]
    sums, counted = by_question(values, questions)
    assert counted.tolist() == sizes.tolist()
    assert sums.sum() == pytest.approx(values.sum())
    (interval,) = intervals(resampled_means(sums, counted))
    # The error of a ratio of sums, by linearisation.
    error = np.sqrt(((sums[:, 0] - values.mean() * counted) ** 2).sum()) / counted.sum()
    assert interval.high - interval.low == pytest.approx(3.92 * error, rel=0.1)
    assert interval.low < values.mean() < interval.high


def test_alike_systems_are_told_apart_no_more_often_than_the_level(monkeypatch):
    """200 comparisons under the null hypothesis: three systems, two languages, nothing to be found.

    A family in which anything is significant at 0.05 counts as an error; of 200, no more than 5 % are
    expected, and more than 19 come by chance with a probability below 0.005.
    """
    monkeypatch.setattr(significance, "RANDOMISATIONS", 1_000)
    monkeypatch.setattr(significance, "RESAMPLES", 10)
    random = np.random.default_rng(6)
    rows = {"de": slice(0, 30), "es": slice(30, 60), "all queries": slice(0, 60)}
    errors = {"p_holm": 0, "p_randomisation_holm": 0}
    for _ in range(200):
        difficulty = random.beta(0.5, 0.5, (60, 1, 1))
        scores = (random.random((60, 1, 3)) < difficulty) / random.integers(1, 11, (60, 1, 3))
        found = summarise(scores, rows, np.arange(60), ["mrr"], ["a", "b", "c"], "a")["mrr"]
        tests = [
            score.against
            for name in ("b", "c")
            for score in (*found[name].languages.values(), found[name].overall)
        ]
        for kind in errors:
            errors[kind] += min(getattr(test, kind) for test in tests) < 0.05
    assert max(errors.values()) <= 19
    assert min(errors.values()) > 0
