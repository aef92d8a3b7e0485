"""Rare words of questions in English: the glossary, and what an encoder makes of it."""

import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from training_slices import cut
from transformers import AutoTokenizer

from qgdr_pyserini.cli import main
from qgdr_pyserini.collection.topics import write_topics
from qgdr_pyserini.collection.training_set import TrainingPassage, TrainingSet, Translation
from qgdr_pyserini.dictionary.glossary import FILE, Glossary
from qgdr_pyserini.dictionary.glossing import Glosser
from qgdr_pyserini.dictionary.words import runs
from qgdr_pyserini.encode.query_encoder import encode_queries
from qgdr_pyserini.errors import InputError
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.registry import find_encoder
from qgdr_pyserini.pyserini_plugin.encoders import QgdrQueryEncoder
from qgdr_pyserini.train.glossary import make_glossary
from qgdr_pyserini.train.recipe_settings import GlossarySettings

LEXICON = [
    ("de", "Quetschkommode", "squeezebox"),
    ("de", "Quetschkommode", "accordion"),
    ("de", "Quetschkommode", "portable wind instrument with keys"),
    ("de", "Schifferklavier", "accordion"),
    ("de", "Wiener Philharmoniker", "Vienna Philharmonic"),
    ("ru", "гармошка", "accordion"),
    ("zh", "手風琴", "accordion"),
]
NAMES = [("ru", "Гармошка", "garmoshka"), ("ru", "Штраус", "strauss")]
TEXT = (
    "The accordion is no squeezebox. The Vienna Philharmonic has no accordion. Squeezebox! Accordion, Strauss"
)


def rows(entries):
    return [Translation(*entry, "test") for entry in entries]


def data(lexicon=LEXICON, names=NAMES, text=TEXT):
    passages = {"p": TrainingPassage("p", "", text, "test")}
    others = rows([("sw", "habari za asubuhi", "good morning")])
    return TrainingSet(passages, [], [], others, rows(lexicon), rows(names))


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(find_encoder("qgdr"))


def made(tokenizer, rarest=1, translations=2, **changed):
    return make_glossary(
        data(**changed), tokenizer, GlossarySettings(rarest=rarest, translations=translations)
    )


def test_the_usual_translations_are_kept_and_names_give_way_to_words(tokenizer):
    glossary = made(tokenizer)
    german, russian = (glossary.lookup(language, tokenizer.decode) for language in ("de", "ru"))
    assert german.find(["quetschkommode"]) == {"accordion": 1.0, "squeezebox": 1.0}
    assert german.find(["quetschkommoden"]) == german.find(["quetschkommode"])
    assert german.find(["wiener", "philharmonikern"]) == {"vienna philharmonic": 1.0}
    assert german.find(["klavier"]) is None
    assert russian.find(["гармошки"]) == {"accordion": 1.0}
    assert russian.find(["штраус"]) == {"strauss": 1.0}
    assert made(tokenizer, translations=1).lookup("de", tokenizer.decode).find(["quetschkommode"]) == {
        "accordion": 1.0
    }
    assert made(tokenizer, rarest=2).lookup("de", tokenizer.decode).find(["wiener", "philharmoniker"]) is None


def test_explanations_are_no_translations_however_rare_words_may_be(tokenizer):
    glossary = made(tokenizer, rarest=0, translations=8)
    assert "portable wind instrument with keys" not in glossary.lookup("de", tokenizer.decode).find(
        ["quetschkommode"]
    )


def test_rare_words_are_replaced_and_others_stay(tokenizer):
    glosser = Glosser(made(tokenizer), tokenizer)
    question = "Wer hat die Quetschkommode der Wiener Philharmoniker erfunden?"
    assert glosser.gloss(question) == "wer hat die accordion squeezebox der vienna philharmonic erfunden"
    assert glosser.gloss("Кто изобрёл гармошку?") == "кто изобрел accordion"
    assert glosser.gloss("誰發明了手風琴？") == "誰發明了 accordion"


@pytest.mark.parametrize(
    "question",
    ["Who invented the accordion, the Quetschkommode?", "Habari za asubuhi, rafiki yangu?", "", "?", "2026",
     "Wer hat das Haus gebaut und wann?"],
)  # fmt: skip
def test_english_languages_without_words_and_known_words_have_no_gloss(tokenizer, question):
    assert Glosser(made(tokenizer), tokenizer).gloss(question) is None


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(
        st.text(min_size=1, max_size=6), st.lists(st.sampled_from(["one", "two", "six", "ten"]), min_size=1)
    )
)
def test_whatever_is_stored_is_found_again(tokenizer, tmp_path_factory, entries):
    lexicon = [("zh", phrase, english) for phrase, all_ in entries.items() for english in all_]
    glossary = made(
        tokenizer, lexicon=[*lexicon, ("zh", "二", "two")], names=[], text="one two six ten", translations=8
    )
    path = tmp_path_factory.mktemp("glossary") / FILE
    glossary.save(path)
    lookup = Glossary.load(path).lookup("zh", tokenizer.decode)
    wanted = {}
    for _, phrase, english in lexicon:
        wanted.setdefault(" ".join(runs(phrase)), set()).add(english)
    for phrase, all_ in wanted.items():
        if 0 < len(runs(phrase)) <= 4 and phrase != "二":
            assert set(lookup.exactly(phrase)) == all_


def test_equal_data_give_equal_files(tokenizer, tmp_path):
    made(tokenizer).save(tmp_path / "a")
    made(tokenizer).save(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.fixture
def glossed(tiny_encoder, tokenizer, tmp_path):
    folder = tmp_path / "glossed-qgdr"
    shutil.copytree(tiny_encoder, folder)
    made(tokenizer).save(folder / FILE)
    return folder


class Fixed:
    """Glosses one question."""

    def gloss(self, question):
        return "wer spielt accordion" if question == "wer spielt quetschkommode" else None


def test_a_query_is_the_mean_of_itself_and_its_gloss(glossed):
    encoder, plain = (DualEncoder.from_pretrained(glossed, glossary=known) for known in (True, False))
    encoder._glosser = Fixed()
    queries = ["wer spielt quetschkommode", "who plays", "wer spielt quetschkommode"]
    own, gloss = plain.encode_queries(queries), plain.encode_queries(["wer spielt accordion"])[0]
    mean = (own[0] + gloss) / np.linalg.norm(own[0] + gloss)
    np.testing.assert_allclose(encoder.encode_queries(queries), [mean, own[1], mean], atol=1e-6)
    alone = np.concatenate([encoder.encode_queries([query]) for query in queries])
    np.testing.assert_array_equal(encoder.encode_queries(queries, batch_size=2), alone)
    assert encoder.encode_queries([]).shape == (0, 32)


def test_passages_and_fingerprint_are_the_same_with_and_without(glossed):
    encoder, plain = (DualEncoder.from_pretrained(glossed, glossary=known) for known in (True, False))
    texts = ["wer spielt quetschkommode", "the accordion"]
    np.testing.assert_array_equal(encoder.encode_passages(texts), plain.encode_passages(texts))
    assert encoder.fingerprint == plain.fingerprint


def test_a_saved_encoder_keeps_its_glossary(glossed, tmp_path):
    DualEncoder.from_pretrained(glossed).save_pretrained(tmp_path / "kept")
    DualEncoder.from_pretrained(glossed, glossary=False).save_pretrained(tmp_path / "bare")
    assert (tmp_path / "kept" / FILE).read_bytes() == (glossed / FILE).read_bytes()
    assert not (tmp_path / "bare" / FILE).exists()


@pytest.mark.parametrize("damage", [lambda b: b[:100], lambda b: b[:-1], lambda b: b"", lambda b: b"{}" * 99])
def test_a_damaged_glossary_is_named(glossed, damage):
    file = glossed / FILE
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(InputError, match=r"glossary\.safetensors: damaged .*install"):
        DualEncoder.from_pretrained(glossed)


def test_a_glossary_of_another_format_is_refused(glossed):
    file = glossed / FILE
    file.write_bytes(file.read_bytes().replace(b'format\\": 1', b'format\\": 2'))
    with pytest.raises(InputError, match="update qgdr-pyserini"):
        DualEncoder.from_pretrained(glossed)


def test_queries_are_encoded_with_and_without_it(tmp_path):
    write_topics(tmp_path / "topics.tsv", {"de-1": "Wer erfand die Dampfmaschinensteuerung?"})
    for name, known in (("with", True), ("without", False)):
        encode_queries(tmp_path / "topics.tsv", tmp_path / name, glossary=known)
    arguments = ["encode-queries", "--topics", str(tmp_path / "topics.tsv"), "--no-glossary"]
    result = CliRunner().invoke(main, [*arguments, "--output", str(tmp_path / "command")])
    assert result.exit_code == 0
    files = {name: tmp_path / name / "embedding.pkl" for name in ("with", "without", "command")}
    read = {name: file.read_bytes() for name, file in files.items()}
    assert read["command"] == read["without"] != read["with"]


@pytest.mark.parametrize(("value", "used"), [("0", False), ("1", True), ("", True), (None, True)])
def test_the_environment_leaves_it_out_of_pyserini(monkeypatch, glossed, value, used):
    monkeypatch.delenv("QGDR_GLOSSARY", raising=False)
    if value is not None:
        monkeypatch.setenv("QGDR_GLOSSARY", value)
    assert (QgdrQueryEncoder(str(glossed)).encoder.glossary is not None) == used


def test_an_encoder_is_given_a_glossary_by_command(tiny_encoder, shared_data, tmp_path):
    folder = tmp_path / "mine-qgdr"
    shutil.copytree(tiny_encoder, folder)
    before = DualEncoder.from_pretrained(folder).fingerprint
    arguments = ["encoders", "add-glossary", str(folder), "--data", str(tmp_path / "nowhere")]
    refused = CliRunner().invoke(main, [*arguments, "--recipe", "qgdr"])
    assert refused.exit_code == 2
    assert "nowhere: no such training folder" in refused.output
    assert not (folder / FILE).exists()
    cut(shared_data / "train", tmp_path / "data")
    arguments[-1] = str(tmp_path / "data")
    done = CliRunner().invoke(main, [*arguments, "--recipe", "qgdr"])
    assert done.exit_code == 0, done.output
    again = DualEncoder.from_pretrained(folder)
    assert f"{len(again.glossary):,} words and phrases" in done.output
    assert again.fingerprint == before
