"""Teachers: scores against the plain forward pass, generation, and checkpoints in the hub's layouts."""

import math

import hub_layouts
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, BartConfig, BartForConditionalGeneration

from qgdr_pyserini.cli.main import main
from qgdr_pyserini.collection.corpus import Passage, write_corpus
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.config import EncoderConfig
from qgdr_pyserini.model.cross_encoder import CrossEncoder, CrossEncoderSettings
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.loading import ModelSource
from qgdr_pyserini.model.prompt import language_name
from qgdr_pyserini.model.query_generator import GeneratorSettings, QueryGenerator
from qgdr_pyserini.model.teacher import Pair, Query
from qgdr_pyserini.model.teachers import load_teacher

QUERIES = [
    Query("Wo entspringt die Donau?", "de"),
    Query("Где?", "ru"),
    Query("多瑙河发源于哪里？莱茵河流向哪里？", "zh"),
    Query("Wohin fließt der Rhein? Wo entspringt die Donau? Wohin?", "de"),
    Query("", "de"),
]
PASSAGES = [
    Passage("1", "Danube", "It rises in the Black Forest."),
    Passage("2", "", "The Rhine flows to the North Sea, and the Danube to the Black Sea, past many towns."),
    Passage("3", "Rhine", "Sea."),
]


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """One folder for each layout, by name."""
    folder = tmp_path_factory.mktemp("hub")
    return {name: getattr(hub_layouts, name)(folder / name) for name in ("mt5", "xlm_roberta", "mbert")}


@pytest.fixture(scope="module")
def teachers(checkpoints, tmp_path_factory):
    """The same, cross-encoders with heads: random ones, but saved."""
    folder = tmp_path_factory.mktemp("trained")
    for name in ("xlm_roberta", "mbert"):
        CrossEncoder.load(ModelSource(checkpoint=str(checkpoints[name]))).save_pretrained(folder / name)
    return {name: folder / name for name in ("xlm_roberta", "mbert")} | {"mt5": checkpoints["mt5"]}


@pytest.fixture
def generator(checkpoints):
    return QueryGenerator.load(ModelSource(checkpoint=str(checkpoints["mt5"])))


def token_by_token(generator, query, passage):
    """The definition of t(q, p): one forward pass a token, nothing batched, nothing padded."""
    name = {"de": "German", "ru": "Russian", "zh": "Chinese"}[query.language]
    prompt = f"Generate a {name} question for this passage: {passage.title} {passage.text}"
    prompt_ids = generator.tokenizer(prompt, return_tensors="pt").input_ids
    given, total = [generator.model.config.decoder_start_token_id], 0.0
    target = generator.tokenizer(query.text).input_ids
    for token in target:
        logits = generator.model(input_ids=prompt_ids, decoder_input_ids=torch.tensor([given])).logits[0, -1]
        total += (logits[token] - logits.logsumexp(0)).item()
        given.append(token)
    return total / len(target)


@torch.no_grad()
@pytest.mark.parametrize("memory_mb", [0, 256])
def test_scores_are_those_of_the_plain_forward_pass_token_by_token(generator, memory_mb):
    generator.model.double()
    # So little that every row and every token's logits are a chunk of their own; or all in one.
    generator.memory_mb = memory_mb
    generator.batch_size = 2
    scores = generator.score(QUERIES, PASSAGES)
    expected = [[token_by_token(generator, query, passage) for passage in PASSAGES] for query in QUERIES]
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-6)
    assert np.ptp(scores[:4], axis=1).min() > 0.01


@torch.no_grad()
def test_the_trainable_score_is_the_same(generator):
    generator.model.double()
    german = [0, 3]
    prompts = generator.pad(generator.tokenize_prompts(PASSAGES[:2], "de"))
    rows = generator.tokenize_queries([QUERIES[i].text for i in german])
    longest = max(map(len, rows))
    labels = torch.tensor([row + [-100] * (longest - len(row)) for row in rows])
    scores = generator.score([QUERIES[i] for i in german], PASSAGES[:2])
    np.testing.assert_allclose(generator(prompts, labels), scores.diagonal(), rtol=0, atol=1e-6)


def test_the_trainable_score_has_gradients(generator):
    prompts = generator.pad(generator.tokenize_prompts(PASSAGES[:1], "de"))
    generator(prompts, torch.tensor([generator.tokenize_queries(["Wo?"])[0]])).sum().backward()
    assert all(parameter.grad is not None for parameter in generator.parameters())


@pytest.mark.parametrize("kind", ["mt5", "xlm_roberta", "mbert"])
def test_company_does_not_change_a_score(teachers, kind):
    teacher = load_teacher(str(teachers[kind]))
    scores = teacher.score(QUERIES, PASSAGES)
    assert np.isfinite(scores).all()
    for q, query in enumerate(QUERIES):
        for p, passage in enumerate(PASSAGES):
            assert teacher.score([query], [passage]).item() == pytest.approx(scores[q, p], abs=1e-5)
    candidates = [[2, 0], [], [1], [0, 1, 2], [2]]
    for own, places, row in zip(
        teacher.score_candidates(QUERIES, PASSAGES, candidates), candidates, scores, strict=True
    ):
        np.testing.assert_allclose(own, row[places], atol=1e-5)
    assert teacher.score_pairs(QUERIES, PASSAGES, [Pair(3, 1)] * 2).tolist() == pytest.approx(
        [scores[3, 1]] * 2, abs=1e-5
    )


def test_a_cross_encoder_scores_as_its_classifier_does(checkpoints):
    teacher = CrossEncoder.load(
        ModelSource(checkpoint=str(checkpoints["xlm_roberta"])), CrossEncoderSettings(max_length=40)
    )
    teacher.model.double()
    features = teacher.tokenizer(
        QUERIES[3].text, f"{PASSAGES[1].text}", truncation="longest_first", max_length=40, return_tensors="pt"
    )
    assert features.input_ids.shape[1] == 40
    expected = teacher.model(**features).logits.item()
    assert teacher.score([QUERIES[3]], [PASSAGES[1]]).item() == pytest.approx(expected, abs=1e-6)


def test_generation_is_seeded_and_disturbs_no_other_randomness(generator):
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first, again, other = (
        generator.generate(PASSAGES, ["de", "zh"], 3, seed=seed, top_k=20) for seed in (1, 1, 2)
    )
    assert first == again != other
    assert torch.equal(before, torch.random.get_rng_state())
    assert {(query.passage, query.language) for query in first} <= {
        (place, language) for place in range(3) for language in ("de", "zh")
    }
    assert 6 < len(first) <= 18
    assert all(query.text == query.text.strip() != "" for query in first)


def test_generation_from_the_single_likeliest_token_is_greedy(generator):
    (query,) = generator.generate(PASSAGES[:1], ["de"], 1, seed=0, top_k=1)
    prompt = generator.pad(generator.tokenize_prompts(PASSAGES[:1], "de"))
    greedy = generator.model.generate(**prompt, do_sample=False, max_new_tokens=64)
    text = generator.tokenizer.decode(greedy[0], skip_special_tokens=True)
    assert query.text == " ".join(text.split())


def test_nothing_to_ask_about_gives_no_questions(generator):
    assert generator.generate([], ["de"], 1, seed=0) == []


def test_bf16_scores_are_near_and_fp16_is_refused(generator):
    expected = generator.score(QUERIES, PASSAGES)
    generator.model.bfloat16()
    assert np.abs(generator.score(QUERIES, PASSAGES) - expected).max() < 0.2
    generator.model.half()
    with pytest.raises(QgdrError, match="use bf16 or fp32"):
        generator.score(QUERIES, PASSAGES)
    with pytest.raises(QgdrError, match="use bf16 or fp32"):
        generator.generate(PASSAGES, ["de"], 1, seed=0)


def test_a_cross_encoder_in_bf16_still_tells_many_passages_apart(teachers):
    passages = [Passage(str(n), "", "Donau Rhein Elbe Wolga"[n:]) for n in range(20)]
    expected = load_teacher(str(teachers["mbert"])).score(QUERIES[:1], passages)
    scores = load_teacher(str(teachers["mbert"]), precision="bf16").score(QUERIES[:1], passages)
    assert np.abs(scores - expected).max() < 0.05
    assert len(set(scores[0].tolist())) > 10


def test_a_saved_teacher_scores_the_same(checkpoints, tmp_path):
    settings = {
        "mt5": GeneratorSettings(prompt="{language}: {title} {text}", passage_max_length=20),
        "xlm_roberta": CrossEncoderSettings(max_length=20),
    }
    for name, kind in (("mt5", QueryGenerator), ("xlm_roberta", CrossEncoder)):
        teacher = kind.load(ModelSource(checkpoint=str(checkpoints[name])), settings[name], seed=4)
        teacher.save_pretrained(tmp_path / name)
        loaded = load_teacher(str(tmp_path / name))
        assert loaded.settings == settings[name]
        # Not to the bit: weights read from a file lie otherwise in memory, and kernels differ by alignment.
        found, expected = loaded.score(QUERIES, PASSAGES), teacher.score(QUERIES, PASSAGES)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    assert isinstance(AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "mt5"), torch.nn.Module)


def test_bart_is_a_query_generator_too(checkpoints, tmp_path):
    sizes = {f"{side}_{what}": n for side in ("encoder", "decoder")
             for what, n in (("layers", 1), ("attention_heads", 2), ("ffn_dim", 32))}  # fmt: skip
    tokenizer = AutoTokenizer.from_pretrained(checkpoints["xlm_roberta"])
    ids = {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id}
    ids |= {"bos_token_id": tokenizer.bos_token_id, "decoder_start_token_id": tokenizer.bos_token_id}
    sizes |= {"vocab_size": len(tokenizer), "d_model": 16, "max_position_embeddings": 128}
    torch.manual_seed(0)
    BartForConditionalGeneration(BartConfig(**ids, **sizes)).save_pretrained(tmp_path / "bart")
    tokenizer.save_pretrained(tmp_path / "bart")
    generator = QueryGenerator.load(ModelSource(checkpoint=str(tmp_path / "bart")))
    generator.model.double()
    generator.model.final_logits_bias.normal_()
    generator.model.lm_head.weight.data.mul_(30)
    with torch.no_grad():
        expected = [[token_by_token(generator, q, p) for p in PASSAGES] for q in QUERIES]
    np.testing.assert_allclose(generator.score(QUERIES, PASSAGES), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["xlm_roberta", "mbert"])
def test_students_start_from_checkpoints_in_the_hubs_layout(checkpoints, name, tmp_path):
    config = EncoderConfig(pooling="cls", normalize=False)
    encoder = DualEncoder.from_source(ModelSource(checkpoint=str(checkpoints[name])), config)
    vectors = encoder.encode_queries([query.text for query in QUERIES])
    assert vectors.shape == (5, 32)
    encoder.save_pretrained(tmp_path / "encoder")
    again = DualEncoder.from_pretrained(tmp_path / "encoder")
    np.testing.assert_array_equal(again.encode_queries([query.text for query in QUERIES]), vectors)


def test_a_tokenizer_that_is_too_large_for_the_model_is_named(checkpoints, tmp_path):
    larger = hub_layouts.causal(tmp_path / "larger")
    source = ModelSource(checkpoint=str(checkpoints["mt5"]), tokenizer=str(larger))
    with pytest.raises(QgdrError, match="they do not belong together"):
        QueryGenerator.load(source)


def test_a_classifier_without_a_head_is_refused_unless_it_is_trained(checkpoints, tmp_path):
    headless = str(checkpoints["xlm_roberta"])
    with pytest.raises(QgdrError, match=r"xlm_roberta: has no trained head \(classifier.*; train it first"):
        load_teacher(headless)
    assert isinstance(CrossEncoder.load(ModelSource(checkpoint=headless)), CrossEncoder)
    (tmp_path / "topics.de.tsv").write_text("q-de-1\tWo?\n")
    (tmp_path / "run.txt").write_text("q-de-1 Q0 1 1 1.0 x\n")
    write_corpus(tmp_path / "corpus.jsonl", PASSAGES)
    files = {
        "--run": "run.txt",
        "--topics": "topics.de.tsv",
        "--corpus": "corpus.jsonl",
        "--output": "new.txt",
    }
    given = [part for name, file in files.items() for part in (name, str(tmp_path / file))]
    result = CliRunner().invoke(main, ["rerank", "--teacher", headless, *given])
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert "has no trained head" in result.stderr
    assert not (tmp_path / "new.txt").exists()


def test_what_is_no_checkpoint_is_named(tmp_path, checkpoints, teachers):
    with pytest.raises(QgdrError, match=f"{tmp_path}: no model to load"):
        load_teacher(str(tmp_path))
    with pytest.raises(QgdrError, match="cannot be loaded as AutoModelForSeq2SeqLM"):
        QueryGenerator.load(ModelSource(checkpoint=str(checkpoints["mbert"])))
    settings = teachers["mbert"] / "qgdr_teacher.json"
    saved = settings.read_text()
    settings.write_text('{"max_lenght": 9}')
    with pytest.raises(QgdrError, match="did you mean 'max_length'"):
        load_teacher(str(teachers["mbert"]))
    settings.write_text(saved)


def test_languages_have_names():
    assert language_name("pt-BR") == "Brazilian Portuguese"
    with pytest.raises(QgdrError, match="language 'qq'"):
        language_name("qq")


def test_scores_are_not_all_the_same(generator):
    assert not math.isclose(*generator.score(QUERIES[:1], PASSAGES[:2])[0], abs_tol=1e-3)
