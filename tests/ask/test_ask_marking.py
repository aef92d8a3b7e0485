"""What stands out in a passage, and how much of it is shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qgdr_pyserini.ask.marking import Marker, excerpt, printable
from qgdr_pyserini.dictionary.language_id import identify_language
from qgdr_pyserini.dictionary.words import tokenize, tokenize_with_offsets

WILD = st.text(
    st.one_of(
        st.sampled_from(" aeéßİﬁｶﾞ多瑙河で川ดาวน์한국ар１½e\u0301'’-\n"),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=40,
)


@pytest.mark.parametrize(
    ("question", "language", "text", "marked"),
    [
        (
            "Which rivers pass Vienna?",
            "en",
            "It passes Vienna, a city on a RIVER.",
            ["passes", "Vienna", "RIVER"],
        ),
        ("Wer gründete Nobel-Stiftung 1900?", "de", "The Nobel foundation, of 1900.", ["Nobel", "1900"]),
        ("¿Dónde está São Paulo?", "es", "sao paulo and São Paulo", ["paulo", "São", "Paulo"]),
        ("多瑙河发源于哪里？", "zh", "多瑙河是欧洲第二长河, 河", ["多瑙河"]),
        ("ドナウ川はどこから流れますか", "ja", "ドナウ川は長い。どこからですか", ["ドナウ川は"]),
        ("أين ينبع نهر الدانوب؟", "ar", "نهر الدانوب طويل", ["نهر", "الدانوب"]),
        ("Who is he?", "en", "Who is he to do this?", []),
        ("", "en", "anything", []),
    ],
)
def test_words_of_the_question_are_found(question, language, text, marked):
    assert [text[start:end] for start, end in Marker(question, language).find(text)] == marked


@given(question=WILD, text=WILD)
def test_marks_are_in_order_apart_and_inside_the_text(question, text):
    end = 0
    for start, stop in Marker(question, "ja").find(text):
        assert end <= start < stop <= len(text)
        end = stop


@given(text=WILD)
def test_runs_are_where_they_are_said_to_be(text):
    for run, start, end in tokenize_with_offsets(text):
        assert run == "".join(tokenize(text[start:end]))


@given(text=st.text(max_size=200), length=st.integers(1, 80), data=st.data())
def test_an_excerpt_keeps_what_its_marks_mark(text, length, data):
    ends = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8, unique=True)))
    marks = list(zip(ends[::2], ends[1::2], strict=False))
    shown, kept = excerpt(text, marks, length)
    assert len(shown) <= max(length, 0) + 4 or shown == text
    marked = [text[start:end] for start, end in marks]
    for start, end in kept:
        assert shown[start:end] in marked or not shown[start:end].strip()


def test_nothing_that_a_terminal_obeys_is_printed():
    assert printable("a\x1b[2Jb\x9bc\u202ed\u2066e\r\nf\x00") == "a [2Jb c d e  f "
    assert printable("نهر é 多") == "نهر é 多"


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("Wo entspringt die Donau?", "de"),
        ("¿Dónde nace el Danubio?", "es"),
        ("أين ينبع نهر الدانوب؟", "ar"),
        ("Где берёт начало Дунай?", "ru"),
        ("多瑙河发源于哪里？", "zh"),
        ("Where does the river Danube rise?", "en"),
        ("ドナウ川はどこから流れますか", "ja"),
    ],
)
def test_languages_are_recognised(question, language):
    assert identify_language(question) == language
