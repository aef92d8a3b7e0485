"""Causal query generators: scores against the plain forward pass, prompts, sampling, checkpoints."""

import hub_layouts
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM

from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.errors import InputError, QgdrError
from qgdr_pyserini.model.causal_generator import CausalGenerator
from qgdr_pyserini.model.loading import ModelSource, is_causal, load_model
from qgdr_pyserini.model.query_generator import GeneratorSettings, QueryGenerator
from qgdr_pyserini.model.teacher import Pair, Query
from qgdr_pyserini.model.teachers import load_teacher

NAMES = {"de": "German", "ru": "Russian", "zh": "Chinese"}
QUERIES = [
    Query("Wo entspringt die Donau?", "de"),
    Query("Где?", "ru"),
    Query("多瑙河发源于哪里？莱茵河流向哪里？", "zh"),
    Query("Wohin fließt der Rhein? Wo entspringt die Donau? Wohin?", "de"),
    Query("Wo entspringt die Donau?", "ru"),
    Query("", "de"),
]
PASSAGES = [
    Passage("1", "Danube", "It rises in the Black Forest."),
    Passage("2", "", "The Rhine flows to the North Sea, and the Danube to the Black Sea, past many towns."),
    Passage("3", "Rhine", "Sea."),
    Passage("4", "Danube", "It rises in the Black Forest."),
]
LANGUAGE_FIRST = "Ask a {language} question about {title}: {text}"
NO_LANGUAGE = "{text}\n"


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """One checkpoint of each kind."""
    hub = tmp_path_factory.mktemp("hub")
    return {kind: hub_layouts.causal(hub / kind, kind) for kind in hub_layouts.CAUSAL}


@pytest.fixture(scope="module", params=[*hub_layouts.CAUSAL])
def kind(request):
    return request.param


def load(folder, **values):
    return CausalGenerator.load(ModelSource(checkpoint=str(folder)), GeneratorSettings(**values))


@torch.no_grad()
def plain(generator, query, passage):
    """The definition of t(q, p): one forward pass a pair, nothing batched, cached or padded."""
    prompt = generator.settings.prompt or CausalGenerator.PROMPT
    name = NAMES[query.language]
    end = max(prompt.find(field) + len(field) for field in ("{title}", "{text}"))
    parts, rest = [prompt[:end]], prompt[end:]
    if "{language}" in rest:
        before, after = rest.split("{language}")
        parts += [before.rstrip(), before[len(before.rstrip()) :] + "{language}" + after]
    else:
        parts += [rest]
    parts = [part.format(language=name, title=passage.title, text=passage.text) for part in parts]
    tokenizer = generator.tokenizer
    given = [tokenizer.bos_token_id] if tokenizer.bos_token_id else []
    given += [token for part in parts for token in tokenizer(part, add_special_tokens=False).input_ids]
    target = tokenizer(
        query.text if prompt.endswith("\n") else f" {query.text}", add_special_tokens=False
    ).input_ids
    target += [tokenizer.eos_token_id] * generator.scores_end
    logits = generator.model(input_ids=torch.tensor([given + target])).logits[0].double()
    found = logits.log_softmax(-1)[range(len(given) - 1, len(given) + len(target) - 1), target]
    return found.mean().item() if target else 0.0


@pytest.mark.parametrize("prompt", ["", LANGUAGE_FIRST, NO_LANGUAGE])
@pytest.mark.parametrize("memory_mb", [0, 256])
def test_scores_are_those_of_the_plain_forward_pass(folders, kind, memory_mb, prompt):
    generator = load(folders[kind], prompt=prompt)
    # The one's softmax is in fp32, where a mask in fp64 is infinite; the other's experts know no fp64.
    precise = kind not in ("bloom", "qwen3_next")
    generator.model.to(torch.float64 if precise else torch.float32)
    generator.memory_mb, generator.batch_size = memory_mb, 3
    scores = generator.score(QUERIES, PASSAGES)
    expected = [[plain(generator, query, passage) for passage in PASSAGES] for query in QUERIES]
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-6 if precise else 1e-4)
    assert np.ptp(scores[:4], axis=1).min() > 0.002


@pytest.fixture(scope="module")
def known(folders):
    """Generators with the scores that they give pair by pair."""
    found = {}
    for kind in ("qwen2", "gemma3_text", "gpt2"):
        generator = load(folders[kind])
        with torch.no_grad():
            table = [[generator(**generator.collate([q], [p])).item() for p in PASSAGES] for q in QUERIES]
        found[kind] = generator, np.array(table)
    return found


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(["qwen2", "gemma3_text", "gpt2"]),
    pairs=st.lists(
        st.builds(Pair, st.integers(0, len(QUERIES) - 1), st.integers(0, len(PASSAGES) - 1)), max_size=20
    ),
    batch_size=st.integers(1, 5),
    memory=st.sampled_from([0, 1, 64]),
)
def test_no_grouping_changes_a_score(known, kind, pairs, batch_size, memory):
    generator, expected = known[kind]
    generator.batch_size, generator.memory_mb = batch_size, memory
    scores = generator.score_pairs(QUERIES, PASSAGES, pairs)
    wanted = [expected[pair.query, pair.passage] for pair in pairs]
    np.testing.assert_allclose(scores, wanted, rtol=0, atol=1e-4)


def test_the_trainable_score_is_the_same_and_has_gradients(folders, kind):
    generator = load(folders[kind], score_end=True)
    queries, passages = [QUERIES[0], QUERIES[2]], PASSAGES[:2]
    found = generator(**generator.collate(queries, passages))
    scores = generator.score(queries, passages).diagonal()
    np.testing.assert_allclose(found.detach(), scores, rtol=0, atol=1e-4)
    empty = generator.collate_texts([generator.prompt(PASSAGES[0], "de")], [""], end=False)
    empty["labels"] = empty["labels"][:, :0]  # as of a tokenizer that has no token for a space
    assert generator(**empty).tolist() == [0.0]
    found.sum().backward()
    assert all(parameter.grad is not None for parameter in generator.parameters())


def test_the_end_counts_where_the_settings_say_so(folders):
    query, passage = QUERIES[0], PASSAGES[0]
    for counts in (True, False, None):
        generator = load(folders["qwen2"], score_end=counts)
        found = generator.score([query], [passage]).item()
        assert found == pytest.approx(plain(generator, query, passage), abs=1e-4)
        assert generator.scores_end is bool(counts)
    # What is written has to end, whatever counts in a score.
    written = generator.collate_texts([generator.prompt(passage, "de")], [query.text])
    assert written["labels"][0, -1] == generator.tokenizer.eos_token_id


def test_a_long_passage_is_cut_and_the_prompts_end_is_not(folders):
    generator = load(folders["llama"], passage_max_length=20)
    long = Passage("9", "Danube", "It rises in the Black Forest. " * 50)
    batch = generator.collate([QUERIES[0]], [long])
    ids = batch["prompts"]["input_ids"][0].tolist()
    text = generator.tokenizer.decode(ids)
    tail = " German about this passage:"
    assert text.startswith("<start>Passage: Danube\n")
    assert text.endswith("\nA question in" + tail)
    assert len(ids) == 20 + len(generator.tokenizer(tail, add_special_tokens=False).input_ids)
    again = Passage("8", "Danube", "It rises in the Black Forest. " * 40)
    assert generator.score([QUERIES[0]], [long]) == generator.score([QUERIES[0]], [again])


def test_each_passage_runs_once_for_all_languages(folders, monkeypatch):
    generator = load(folders["qwen2"])
    generator.batch_size = 1
    computed = []
    body = generator.model.base_model
    forward = body.forward

    def count(*arguments, **options):
        computed.append(options["input_ids"].shape)
        return forward(*arguments, **options)

    monkeypatch.setattr(body, "forward", count)
    generator.score(QUERIES[:5], PASSAGES[:1] * 2)
    prefix = len(generator.tokenizer("Passage: Danube\nIt rises in the Black Forest.").input_ids)
    assert sum(shape[0] == 1 and shape[1] >= prefix for shape in computed) == 1


def test_sampling_is_seeded_and_ends_with_the_line(folders):
    generator = load(folders["qwen2"], query_max_length=12)
    first, again, other = (
        generator.generate(PASSAGES, ["de", "zh"], 3, seed=seed, top_k=20) for seed in (1, 1, 2)
    )
    assert first == again != other
    assert {query.passage for query in first} == {0, 1, 2, 3}
    assert all(query.text == query.text.strip(' "') != "" for query in first)
    assert not any("\n" in query.text or "<end>" in query.text for query in first)
    assert generator.generate([], ["de"], 1, seed=0) == []


def test_company_does_not_change_what_is_likeliest(folders, kind):
    generator = load(folders[kind], query_max_length=6)
    together = generator.generate(PASSAGES, ["de"], 1, seed=0, top_k=1)
    alone = [q for p in PASSAGES for q in generator.generate([p], ["de"], 1, seed=0, top_k=1)]
    assert [query.text for query in together] == [query.text for query in alone]


def test_checkpoints_choose_their_class(folders, tmp_path):
    teacher = load_teacher(str(folders["qwen2"]))
    assert isinstance(teacher, CausalGenerator)
    assert isinstance(QueryGenerator.load(ModelSource(checkpoint=str(folders["gpt2"]))), CausalGenerator)
    generator = load(folders["qwen2"], prompt=LANGUAGE_FIRST, passage_max_length=30)
    generator.save_pretrained(tmp_path / "saved")
    saved = load_teacher(str(tmp_path / "saved"))
    assert saved.settings == generator.settings
    np.testing.assert_allclose(
        saved.score(QUERIES, PASSAGES), generator.score(QUERIES, PASSAGES), rtol=0, atol=1e-5
    )
    assert isinstance(AutoModelForCausalLM.from_pretrained(tmp_path / "saved"), torch.nn.Module)
    assert is_causal(ModelSource(checkpoint=str(folders["qwen2"])))


def test_bf16_leaves_positions_precise(folders):
    expected = load_teacher(str(folders["qwen2"])).score(QUERIES, PASSAGES)
    teacher = load_teacher(str(folders["qwen2"]), precision="bf16")
    assert teacher.model.dtype == torch.bfloat16
    assert teacher.model.model.rotary_emb.inv_freq.dtype == torch.float32
    assert np.abs(teacher.score(QUERIES, PASSAGES) - expected).max() < 0.3
    teacher.model.half()
    with pytest.raises(QgdrError, match="use bf16 or fp32"):
        teacher.score(QUERIES, PASSAGES)


def test_what_does_not_fit_is_named(folders):
    generator = load(folders["gpt2"], passage_max_length=600)
    with pytest.raises(QgdrError, match="longer than the model's 512 positions; lower passage_max_length"):
        generator.score(QUERIES[:1], [Passage("1", "", "Danube " * 700)])
    with pytest.raises(InputError, match=r"has \{passage\}, which stands for nothing"):
        GeneratorSettings.checked({"prompt": "{passage}"}, "recipe.toml")
    mt5 = ModelSource(checkpoint=str(hub_layouts.mt5(folders["gpt2"].parent / "mt5")))
    with pytest.raises(QgdrError, match="score_end = false is for causal models"):
        QueryGenerator.load(mt5, GeneratorSettings(score_end=False))


def test_a_gguf_file_without_its_package_is_one_line(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(QgdrError, match=r"^some/model\.gguf: to read GGUF files, pip install gguf$"):
        load_teacher("some/model.gguf")
    with pytest.raises(QgdrError, match="pip install gguf"):
        load_model(ModelSource(checkpoint="some/model.gguf"), AutoModelForCausalLM)


def test_a_gguf_file_is_a_checkpoint(folders, tmp_path):
    pytest.importorskip("gguf")
    file = hub_layouts.gguf(folders["qwen2"], tmp_path / "tiny.gguf")
    loaded, expected = load_teacher(str(file)), load(folders["qwen2"])
    ours, theirs = ({**dict(one.model.named_parameters())} for one in (loaded, expected))
    for name, weight in theirs.items():
        torch.testing.assert_close(ours[name], weight)
    np.testing.assert_allclose(
        loaded.score(QUERIES, PASSAGES), expected.score(QUERIES, PASSAGES), rtol=0, atol=1e-4
    )
    loaded.save_pretrained(tmp_path / "saved")
    assert isinstance(load_teacher(str(tmp_path / "saved")), CausalGenerator)
