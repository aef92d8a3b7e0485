"""The distillation stage: what it draws, its loss, that it learns, and that it resumes exactly."""

import itertools
import shutil

import pytest
import torch

from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.collection.tevatron import Candidate, CandidateList
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.losses.alignment import AgreementSettings
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.train.distillation import DistillationSettings, Distiller, distil
from qgdr_pyserini.train.distillation_batches import Collator, Draw, Examples, align
from qgdr_pyserini.train.sampling import SamplerSettings

WORDS = ["river", "mountain", "city", "island", "desert", "forest", "harbour", "bridge"]
PASSAGES = [Passage(f"p{i}", word, f"the {word} of the north is old") for i, word in enumerate(WORDS)]


def candidates(first, scores):
    order = [first, *(i for i in range(len(WORDS)) if i != first)]
    return tuple(Candidate(PASSAGES[i], score) for i, score in zip(order, scores, strict=True))


def rows_and_generated():
    """The teacher likes each query's own passage, and the next one a little."""
    rows, generated = [], []
    for i, word in enumerate(WORDS):
        scores = [3.0] + [1.0 if j == 0 else -j / 9 for j in range(len(WORDS) - 1)]
        found = candidates(i, scores)
        rows.append(CandidateList(f"q{i}", f"where is the {word}?", found[:1], found[1:], "en"))
        for lang, flip in (("de", 1), ("zh", -1)):
            found = candidates(i, [flip * score for score in scores])
            name = f"q{i}.{lang}.0"
            generated.append(CandidateList(name, f"{lang} {word}", found[:1], found[1:], lang, (), f"q{i}"))
    return rows, generated


SETTINGS = DistillationSettings(
    steps=30, batch_size=4, candidates=5, learning_rate=0.003, student_temperature=0.1, save_steps=10
)


def test_alignment_knows_where_the_teacher_agrees():
    rows, generated = rows_and_generated()
    found = align(rows, generated, AgreementSettings())
    assert set(found) == {row.query_id for row in rows}
    german, chinese = found["q3"]
    assert (german.text, german.language, german.agreement) == ("de island", "de", pytest.approx(1))
    assert chinese.agreement < 0
    assert align(rows[:1], generated, AgreementSettings()).keys() == {"q0"}
    other = CandidateList("q0.de.0", "x", generated[2].positives, (), "de", (), "q0")
    with pytest.raises(QgdrError, match=r"'q0.de.0': its candidates are not those of 'q0'"):
        align(rows, [other], AgreementSettings())


def test_every_query_comes_before_any_comes_again():
    rows, generated = rows_and_generated()
    aligned = align(rows, generated, AgreementSettings())
    examples = Examples(rows, aligned, SamplerSettings(), Draw(5, 4, 6, seed=1))
    seen = [example.query for example in examples]
    assert len(seen) == 24
    for start in (0, 8, 16):
        assert sorted(seen[start : start + 8]) == sorted(row.query for row in rows)
    assert seen[:8] != seen[8:16]
    for i in (5, 0, 23):
        assert examples[i] == examples[i]
        assert len(examples[i].candidates) == 5
        assert examples[i].candidates[0].passage.title in examples[i].query
    # At first only the language that the teacher agrees on.
    assert {example.aligned.language for example in list(examples)[:4]} == {"de"}


@torch.no_grad()
@pytest.mark.parametrize("in_batch", [False, True])
def test_the_loss_is_that_of_the_encoders_vectors(tiny_encoder, in_batch):
    rows, generated = rows_and_generated()
    encoder = DualEncoder.from_pretrained(tiny_encoder)
    aligned = align(rows, generated, AgreementSettings())
    short = [rows[0], CandidateList("q1", rows[1].query, rows[1].positives, rows[1].negatives[:2], "en")]
    examples = list(Examples(short, aligned, SamplerSettings(), Draw(4, 2, 1, seed=1)))
    settings = SETTINGS.model_copy(update={"in_batch": in_batch})
    ours = Distiller(encoder, settings)(**Collator(encoder, 4)(examples))["loss"]
    expected = 0.0
    for example in examples:
        own = [item.passage for item in example.candidates]
        extra = [item.passage for other in examples for item in other.candidates if in_batch]
        passages = [*own, *(p for p in dict.fromkeys(extra) if p not in own)]
        vectors = torch.from_numpy(encoder.encode_passages([p.contents for p in passages]))
        q, g = torch.from_numpy(encoder.encode_queries([example.query, example.aligned.text]))
        t = torch.tensor([item.score for item in example.candidates]).log_softmax(0)
        s = (vectors @ q / 0.1).log_softmax(0)[: len(own)]
        expected += (t.exp() * (t - s)).sum() / len(examples)
        a, b = ((vectors[: len(own)] @ x).log_softmax(0) for x in (q, g))
        weight = example.aligned.agreement
        expected += (weight if weight >= 0.5 else 0) * (a.exp() * (a - b)).sum() / len(examples)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-5)


def test_the_student_learns_and_resumes_to_the_same_weights(tiny_encoder, tmp_path):
    rows, generated = rows_and_generated()
    settings = SETTINGS.model_copy(update={"beta": 0.1})
    whole = DualEncoder.from_pretrained(tiny_encoder)
    log = distil(whole, rows, generated, settings, 3, tmp_path / "whole")
    assert log[-1]["loss"] < 0.8 * log[0]["loss"]

    shutil.copytree(tmp_path / "whole", tmp_path / "stopped")
    shutil.rmtree(tmp_path / "stopped" / "checkpoint-30")
    resumed = DualEncoder.from_pretrained(tiny_encoder)
    distil(resumed, rows, generated, settings, 3, tmp_path / "stopped")
    ours, theirs = whole.state_dict(), resumed.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_in_bf16_on_a_cpu_attention_is_plain_and_nothing_of_it_is_saved(tiny_encoder, tmp_path):
    rows, generated = rows_and_generated()
    for precision, attention in (("bf16", "eager"), ("fp32", "sdpa")):
        encoder = DualEncoder.from_pretrained(tiny_encoder)
        settings = SETTINGS.model_copy(update={"precision": precision, "steps": 2, "save_steps": 2})
        distil(encoder, rows, generated, settings, 3, tmp_path / precision)
        if not torch.cuda.is_available():
            assert encoder.model.config._attn_implementation == attention
        encoder.save_pretrained(tmp_path / f"{precision}.encoder")
        assert "eager" not in (tmp_path / f"{precision}.encoder" / "config.json").read_text()


def test_what_was_not_scored_is_named(tiny_encoder, tmp_path):
    encoder = DualEncoder.from_pretrained(tiny_encoder)
    bare = CandidateList("q9", "x", (Candidate(PASSAGES[0]),), (Candidate(PASSAGES[1]),))
    with pytest.raises(QgdrError, match="'q9': a candidate has no score; run 'qgdr score' first"):
        distil(encoder, [bare], [], SETTINGS, 3, tmp_path / "out")
    with pytest.raises(QgdrError, match="no query has both"):
        distil(encoder, [], [], SETTINGS, 3, tmp_path / "out")


def test_a_loss_that_is_no_number_names_the_step(tiny_encoder, tmp_path):
    rows, _ = rows_and_generated()
    encoder = DualEncoder.from_pretrained(tiny_encoder)
    encoder.model.embeddings.word_embeddings.weight.data.fill_(torch.nan)
    with pytest.raises(
        QgdrError, match="distillation, step 0: the loss is NaN or infinite; lower learning_rate"
    ):
        distil(encoder, rows, [], SETTINGS, 3, tmp_path / "out")


def test_queries_about_one_article_come_together_and_all_before_any_comes_again():
    rows, _ = rows_and_generated()
    articles = [
        CandidateList(f"q{i}.{n}", f"{row.query} {n}", row.positives, row.negatives, "en")
        for i, row in enumerate(rows)
        for n in range(7)
    ]
    drawn = Examples(articles, {}, SamplerSettings(), Draw(3, 8, 14, seed=1, block=4))
    titles = [example.candidates[0].passage.title for example in drawn]
    assert sorted(example.query for example in list(drawn)[:56]) == sorted(row.query for row in articles)
    # Seven queries an article in blocks of at most four: one of four and one of three.
    for epoch in (titles[:56], titles[56:]):
        changes = sum(a != b for a, b in itertools.pairwise(epoch))
        assert changes <= 2 * len(WORDS) - 1
    assert titles[:56] != titles[56:]
    assert drawn[60] == drawn[60]


def test_a_passage_of_several_queries_is_encoded_once(tiny_encoder):
    rows, _ = rows_and_generated()
    encoder = DualEncoder.from_pretrained(tiny_encoder)
    examples = list(Examples(rows, {}, SamplerSettings(), Draw(len(WORDS), len(rows), 1, seed=1)))
    batch = Collator(encoder, len(WORDS))(examples)
    parts, place = batch["passages"]["parts"], batch["passages"]["order"].tolist()
    assert sorted(place) == list(range(len(WORDS)))
    assert batch["places"].shape == (len(rows), len(WORDS))
    texts = [encoder.tokenizer.decode(ids) for part in parts for ids in part["input_ids"]]
    order = [text for _, text in sorted(zip(place, texts, strict=True))]
    for i, example in enumerate(examples):
        for j, item in enumerate(example.candidates):
            assert " ".join(item.passage.title) in order[batch["places"][i, j]]


def test_english_queries_are_put_into_other_languages_as_often_as_asked():
    rows, _ = rows_and_generated()
    foreign = CandidateList("f", "wo ist es?", rows[0].positives, rows[0].negatives, "de")
    for share, least, most in ((0.0, 0, 0), (0.5, 20, 60), (1.0, 80, 80)):
        draw = Draw(2, 9, 10, seed=1, switched=share)
        drawn = Examples([*rows, foreign], {}, SamplerSettings(), draw, switch=lambda text, rng: text.upper())
        switched = [example.query for example in drawn if example.query.isupper()]
        assert least <= len(switched) <= most
        assert all(query.startswith("WHERE") for query in switched)
