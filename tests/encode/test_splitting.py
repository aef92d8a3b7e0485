"""Documents in segments: nothing is lost, nothing is cut, and sentences stay whole where they can."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qgdr_pyserini.collection.corpus import Passage, write_corpus
from qgdr_pyserini.encode.sentences import sentence_starts
from qgdr_pyserini.encode.split import Split, split_of
from qgdr_pyserini.encode.splitting import Splitter, split_spans
from qgdr_pyserini.errors import InputError, QgdrError
from qgdr_pyserini.model.dual_encoder import DualEncoder

LONGEST = 64
# Several scripts, ends of sentences, white space in and outside of ASCII, a letter that becomes two tokens.
TEXTS = st.text(st.sampled_from("abñ中国ไทสع .!?。؟।\n\t\u2029\u3000İ😀#"), max_size=300)
TITLES = st.text(st.sampled_from("ab c中"), max_size=80)


@pytest.fixture(scope="module")
def model(tiny_encoder):
    return DualEncoder.from_pretrained(tiny_encoder)


@st.composite
def splits(draw):
    tokens = draw(st.integers(10, LONGEST))
    return Split(tokens, draw(st.integers(1, tokens)))


def solid(text):
    return "".join(text.split())


@given(text=TEXTS, title=TITLES, split=splits())
def test_segments_fit_are_in_order_and_come_out_the_same_again(model, text, title, split):
    document = Passage("d", title, text)
    found = Splitter(model, split, LONGEST).split(document)
    assert found == Splitter(model, split, LONGEST).split(document)
    assert [item.docid for item in found] == [f"d#{number}" for number in range(len(found))]
    lengths = model.passage_lengths([item.text for item in found], [item.title for item in found])
    assert max(lengths) <= split.tokens
    assert all(item.text in text and title.startswith(item.title) for item in found)


@given(text=TEXTS, title=TITLES, tokens=st.integers(10, LONGEST))
def test_segments_that_do_not_overlap_are_the_text(model, text, title, tokens):
    found = Splitter(model, Split(tokens, tokens), LONGEST).split(Passage("d", title, text))
    assert solid("".join(item.text for item in found)) == solid(text)


@given(
    text=TEXTS.filter(bool),
    widths=st.lists(st.integers(0, 3), min_size=1, max_size=300),
    room=st.integers(1, 30),
    data=st.data(),
)
def test_windows_cover_the_text_and_go_on(text, widths, room, data):
    """Tokens of any width, none too, and fewer of them than the text is long."""
    ends = [end for end in itertools.accumulate(widths) if end <= len(text)]
    tokens = [(max(0, end - width), end) for end, width in zip(ends, widths, strict=False)]
    stride = data.draw(st.integers(1, room))
    spans = split_spans(text, tokens, sentence_starts(text), room, stride)
    assert (spans[0][0], spans[-1][1]) == (0, len(text))
    for (first, end), (after, _) in itertools.pairwise(spans):
        assert first < after <= end


@given(text=TEXTS)
def test_sentences_begin_within_the_text_in_order(text):
    starts = sentence_starts(text)
    assert starts[0] == 0
    assert starts == sorted(set(starts))
    assert starts[-1] <= len(text)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("It rises, e.g. in spring. It ends.", ["It rises, e.g. in spring. ", "It ends."]),
        ("Das ist z. B. gut, vgl. Abs. 3 usw. Am 3. Mai kam er an. Dann ging er.", None),
        ("它发源于黑森林。它流经维也纳！", ["它发源于黑森林。", "它流经维也纳！"]),
        ("أين ينبع النهر؟ ينبع في الغابة.", ["أين ينبع النهر؟ ", "ينبع في الغابة."]),
        ("वह गया। तुम कहाँ हो?", ["वह गया। ", "तुम कहाँ हो?"]),
        ("แม่น้ำไหลผ่าน เวียนนา", ["แม่น้ำไหลผ่าน เวียนนา"]),
        ("He met J.\u2029A. Smith.", None),  # what the library itself panics at
    ],
)
def test_sentences_of_many_languages(text, sentences):
    starts = sentence_starts(text)
    found = [text[start:end] for start, end in itertools.pairwise([*starts, len(text)])]
    assert "".join(found) == text
    assert sentences is None or found == sentences


def test_what_the_library_panics_at_is_one_sentence(monkeypatch):
    class PanicException(BaseException):
        pass

    def panic(language, text):
        raise PanicException

    monkeypatch.setattr("sentencex.segment", panic)
    assert sentence_starts("It rises. It ends.") == [0]


def texts(model, text, tokens, stride, title=""):
    return [
        item.text for item in Splitter(model, Split(tokens, stride), LONGEST).split(Passage("d", title, text))
    ]


def test_segments_end_with_sentences_and_overlap_by_sentences(model):
    text = "it rises. it flows. it ends."  # a token a character, and two special ones
    assert texts(model, text, 22, 22) == ["it rises. it flows.", "it ends."]
    assert texts(model, text, 22, 12) == ["it rises. it flows.", "it flows. it ends."]
    # No sentence begins within five tokens, so the next one that does is taken.
    assert texts(model, text, 22, 5) == ["it rises. it flows.", "it flows. it ends."]


def test_a_sentence_that_is_too_long_is_cut_between_words_and_a_word_anywhere(model):
    assert texts(model, "the river rises in the black forest", 14, 14) == [
        "the river",
        "rises in the",
        "black",  # behind a space, which is a token here
        "forest",
    ]
    assert texts(model, "abcdefghijklmnopqrstuvwxyz", 12, 12) == ["abcdefghij", "klmnopqrst", "uvwxyz"]
    assert texts(model, "中国人大中国人大中国人大", 10, 10) == ["中国人大中国人大", "中国人大"]


def test_short_and_empty_documents_are_one_segment_as_they_are(model):
    assert texts(model, "it rises. ", 32, 32) == ["it rises. "]
    assert texts(model, "", 32, 32, "danube") == [""]
    assert texts(model, " " * 90, 32, 32) == [""]


def test_a_title_leaves_half_of_a_segment_to_the_text(model):
    found = Splitter(model, Split(32, 32), LONGEST).split(Passage("d", "the danube " * 4, "it rises. " * 5))
    assert {item.title for item in found} == {"the danube th"}
    assert all(item.text for item in found)


def test_what_cannot_be_split(model, tmp_path):
    with pytest.raises(QgdrError, match="--split 65 is more than the 64 tokens at which passages are cut"):
        Splitter(model, Split(65, 8), LONGEST)
    with pytest.raises(QgdrError, match="--split 9 leaves no room for text; at least 10 tokens"):
        Splitter(model, Split(9, 8), LONGEST)
    with pytest.raises(QgdrError, match="--stride 33 is more than --split 32"):
        Split(32, 33)
    with pytest.raises(QgdrError, match="--stride 8 goes with --split TOKENS"):
        split_of(None, 8)
    assert (split_of(None, None), split_of(32, None)) == (None, Split(32, 32))
    documents = [Passage("a", "", "x"), Passage("b#1", "", "y")]
    write_corpus(tmp_path / "c.jsonl", documents)
    with pytest.raises(InputError, match=r"c\.jsonl:2: id 'b#1' holds '#', which --split puts before"):
        list(Splitter(model, Split(32, 32), LONGEST).segments(tmp_path / "c.jsonl", documents))


@given(text=st.text(max_size=400), title=st.text(max_size=20))
def test_segments_fit_the_encoder_that_ships(qgdr, text, title):
    segments = Splitter(qgdr, Split(24, 24), 256).split(Passage("d", title, text))
    lengths = qgdr.passage_lengths([item.text for item in segments], [item.title for item in segments])
    assert max(lengths) <= 24
    assert solid("".join(item.text for item in segments)) == solid(text)


@pytest.fixture(scope="module")
def qgdr():
    return DualEncoder.from_pretrained("qgdr")
