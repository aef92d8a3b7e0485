"""Questions translated word by word."""

import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qgdr_pyserini.dictionary.dictionary import NAME_WEIGHT, Dictionary, read_dictionaries
from qgdr_pyserini.dictionary.lexicon import read_lexicon
from qgdr_pyserini.dictionary.translate import KEPT_WEIGHT, TranslatedWord, translate
from qgdr_pyserini.dictionary.words import is_unspaced, tokenize
from qgdr_pyserini.errors import InputError

GERMAN = Dictionary(
    "de",
    {
        "fluss": ("river",),
        "mündung": ("mouth", "estuary"),
        "schwarzes meer": ("Black Sea",),
        "meer": ("sea",),
        "der": ("the",),
    },
)


def found(question: str, dictionary: Dictionary) -> dict[str, dict[str, float]]:
    return {word.source: dict(word.translations) for word in translate(question, dictionary)}


def test_phrases_inflections_and_compounds_are_found_and_the_rest_is_kept() -> None:
    assert translate("Der Flussmündungen Donau?", GERMAN) == [
        TranslatedWord("der", (("the", 1.0),), KEPT_WEIGHT),
        TranslatedWord("flussmündungen", (("river", 1.0),)),
        TranslatedWord("flussmündungen", (("mouth", 0.5), ("estuary", 0.5))),
        TranslatedWord("donau", (), 1.0),
    ]
    assert found("am Schwarzen Meer", GERMAN) == {"am": {}, "schwarzen meer": {"Black Sea": 1.0}}


def test_what_is_unknown_in_a_script_without_spaces_stays_in_its_place() -> None:
    chinese = Dictionary("zh", {"黑海": ("Black Sea",)})
    assert [word.source for word in translate("谁去过黑海了？", chinese)] == ["谁去过", "黑海", "了"]


def test_words_without_spaces_are_cut_by_the_longest_match() -> None:
    chinese = Dictionary(
        "zh", {"黑": ("black",), "黑海": ("Black Sea",), "在哪里": ("where",)}, {"黑": ("hei",)}
    )
    assert found("黑海在哪里？Danube黑", chinese) == {
        "黑海": {"Black Sea": 1.0},
        "在哪里": {"where": 1.0},
        "danube": {},
        "黑": {"black": 1.0},
    }


@pytest.mark.parametrize("word", ["كتاب", "الكتاب", "والكتاب", "كِتَاب", "بالكتاب", "كتب", "فكتاب"])
def test_arabic_is_found_in_spite_of_article_clitics_vowel_signs_and_broken_plural(word: str) -> None:
    arabic = Dictionary("ar", {"كتاب": ("book",)})
    assert found(word, arabic) == {tokenize(word)[0]: {"book": 1.0}}


def test_russian_is_found_in_every_case_with_stress_marks_and_either_letter() -> None:
    russian = Dictionary("ru", {key: ("x",) for entry in ("река́", "ёлка") for key in tokenize(entry)})
    assert all(
        found(word, russian)[tokenize(word)[0]] for word in ("рекой", "реке", "реки", "елку", "ёлками")
    )


def test_names_weigh_less_and_give_way_to_words() -> None:
    russian = Dictionary("ru", {"роза": ("rose",)}, {"роза": ("roza",), "билл": ("bill",)})
    assert found("роза билл", russian) == {"роза": {"rose": 1.0}, "билл": {"bill": NAME_WEIGHT}}


@settings(deadline=None)
@given(
    st.text(max_size=60), st.dictionaries(st.text(max_size=8), st.text(min_size=1, max_size=8), max_size=12)
)
def test_any_question_ends_in_words_that_it_holds(question: str, entries: dict[str, str]) -> None:
    keys = {" ".join(tokenize(key)): (value,) for key, value in entries.items() if tokenize(key)}
    together = "".join(tokenize(question))
    for language in ("de", "ar", "zh"):
        for word in translate(question, Dictionary(language, keys)):
            assert word.source.replace(" ", "") in together
            assert word.kept or word.translations or is_unspaced(word.source)


def test_a_lexicon_is_read_for_the_languages_asked_for(tmp_path) -> None:
    lines = [
        "de\tHaus\thouse (building)\twiktionary",
        "de\tHaus\thome /həʊm/",
        "fr\tmaison\thouse",
        "de\tH\t(x)",
    ]
    file = tmp_path / "lexicon.tsv.gz"
    file.write_bytes(gzip.compress("\n".join(lines).encode()))
    assert read_lexicon(file, {"de", "ru"}) == {"de": {"haus": ("house", "home")}, "ru": {}}
    assert list(read_dictionaries(file, None, ["de-AT", "ru"])) == ["de-AT"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("de\tHaus\thouse\nde Haus\n", r":2: has 1 of 3 columns"),
        ("", "holds no entries"),
        (None, "no such file"),
    ],
)
def test_a_wrong_lexicon_is_named(tmp_path, content: str | None, problem: str) -> None:
    file = tmp_path / "lexicon.tsv"
    if content is not None:
        file.write_text(content)
    with pytest.raises(InputError, match=problem):
        read_lexicon(file, {"de"})
