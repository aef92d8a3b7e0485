"""R@2kt, R@5kt and answer recall: against the rule written once more, and against Pyserini's matching."""

import json
import string

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from qgdr_pyserini.cli.compare import compare as compare_command
from qgdr_pyserini.cli.group import OneLineErrorGroup
from qgdr_pyserini.collection.answers import Answers, write_answers
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.evaluate.answers import Answered, has_answer
from qgdr_pyserini.evaluate.compare import compare
from qgdr_pyserini.evaluate.systems import System
from qgdr_pyserini.evaluate.xor_retrieve import TokenizedTexts, word_tokenize, write_predictions

LATIN = ["Danube", "U.S.", "river,", "The", "the", "Paris.", "1884", "Orléans", "(sic)", "don't", '"Rhine"']
OTHERS = ["Дунай", "多瑙河", "ダニューブ", "ధనుబే", "الدانوب"]
WORDS = st.sampled_from([*LATIN, *OTHERS])
TEXTS = st.lists(WORDS, max_size=60).map(" ".join)
# Long passages, so that budgets of 2,000 and 5,000 tokens cut within them.
CORPUS = st.dictionaries(
    st.sampled_from("abcdef"),
    st.tuples(TEXTS, st.integers(1, 60)).map(lambda pair: " ".join([pair[0]] * pair[1])),
)
ANSWER = st.sampled_from(["yes", "no", "Yes"]) | st.lists(WORDS, min_size=1, max_size=2).map(" ".join)
QIDS = [f"xor-tydi-{language}-{number}" for language in ("ja", "te") for number in range(3)]
GOLD = st.fixed_dictionaries({qid: st.lists(ANSWER, max_size=3) for qid in QIDS})


def official(predictions, gold, budget):
    """The official rule, as its script goes about it: over the predictions."""
    counts = {}
    for item in predictions:
        spans = [answer for answer in gold[item["id"]] if answer not in ("yes", "no")]
        if not spans:
            continue
        tokens = []
        for text in item["ctxs"]:
            tokens += word_tokenize(text)
        text = " ".join(tokens[:budget])
        hit = any(answer in text for answer in spans)
        counts.setdefault(item["lang"], []).append(hit)
    scores = {language: sum(hits) / len(hits) for language, hits in counts.items()}
    return scores, sum(scores.values()) / len(scores) if scores else None


@settings(max_examples=60, deadline=None)
@given(CORPUS.filter(bool), GOLD, st.data())
def test_token_budgets_follow_the_official_rule(tmp_path_factory, texts, gold, data):
    ranking = st.permutations(sorted(texts))
    run = {
        qid: {docid: -float(rank) for rank, docid in enumerate(data.draw(ranking))}
        for qid in data.draw(st.sets(st.sampled_from(QIDS), min_size=1))
    }
    answers = {qid: Answers(qid, qid.split("-")[2], tuple(strings)) for qid, strings in gold.items()}
    answered = Answered("answers.jsonl", answers, texts)
    file = tmp_path_factory.mktemp("xor") / "predictions.json"
    write_predictions(file, run, answers, TokenizedTexts(texts))
    predictions = json.loads(file.read_text())
    assert len(predictions) == len(gold)
    original = {(item["lang"], item["id"]): item for item in predictions}
    for (language, number), item in original.items():
        item["id"] = f"xor-tydi-{language}-{number}"
    spans = {qid for qid, strings in gold.items() if set(strings) - {"yes", "no"}}
    if not spans & run.keys():
        with pytest.raises(QgdrError):
            compare({}, [System("s", ("s.txt",), run)], ["r@2kt"], answered=answered)
        return
    result = compare({}, [System("s", ("s.txt",), run)], ["r@2kt", "r@5kt"], answered=answered)
    for metric, budget in (("r@2kt", 2_000), ("r@5kt", 5_000)):
        scores, mean = official(predictions, gold, budget)
        found = result.results[metric]["s"]
        assert {language: score.mean for language, score in found.languages.items()} == scores
        assert found.mean.value == pytest.approx(mean)
        assert found.overall.queries == len(spans)


def test_words_are_what_nltk_with_its_trained_model_gives():
    text = """He met Mr. Fox in the U.S. state of St. Clair. Doesn't it? "Yes." 多瑙河。 3.5% (e.g. this)."""
    expected = "He met Mr. Fox in the U.S. state of St. Clair . Does n't it ? `` Yes . ''"
    assert " ".join(word_tokenize(text)) == f"{expected} 多瑙河。 3.5 % ( e.g . this ) ."
    assert word_tokenize("a\u00a0b\u2028c \u3000d") == ["a", "b", "c", "d"]


LETTERS = string.ascii_letters + " .,-'é́ßЖж中文०१٣\u200b\u00a0"


@settings(max_examples=200, deadline=None)
@given(st.text(LETTERS, max_size=40), st.text("aAbB é.Ж中", min_size=1, max_size=3))
def test_matching_is_pyserinis(text, answer):
    from pyserini.eval.evaluate_dpr_retrieval import SimpleTokenizer, has_answers

    # Pyserini takes an answer without any token for found.
    if SimpleTokenizer().tokenize(answer).words():
        assert has_answer(text, [answer]) == has_answers(text, [answer], SimpleTokenizer())
    else:
        assert not has_answer(text, [answer])


def test_the_command_measures_answers_without_judgements(tmp_path):
    questions = [
        Answers("xor-tydi-te-1", "te", ("Portland",)),
        Answers("xor-tydi-te--2", "te", ("yes",)),
        Answers("xor-tydi-ja-3", "ja", ("1884",)),
        Answers("xor-tydi-ja-4", "ja", ("Danube",)),
    ]
    write_answers(tmp_path / "answers.jsonl", questions)
    passages = [
        {"id": "a", "title": "1884", "text": "portland is in Oregon"},
        {"id": "b", "contents": "T\nThe Danube."},
    ]
    (tmp_path / "corpus.jsonl").write_text("".join(json.dumps(item) + "\n" for item in passages))
    hits = [
        f"{item.qid} Q0 {docid} 1 {score} x\n"
        for item in questions[:3]
        for docid, score in (("a", 2), ("b", 1))
    ]
    (tmp_path / "run.txt").write_text("".join(hits))
    command = "compare --answers answers.jsonl --corpus corpus.jsonl --run s=run.txt --output out"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        group = OneLineErrorGroup("qgdr", commands=[compare_command])
        result = CliRunner().invoke(group, f"{command} --xor-predictions")
    assert (result.exit_code, result.stderr) == (0, "")
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert report["metrics"] == ["r@2kt", "r@5kt", "answer-recall@20"]
    # Case counts under R@2kt, titles count nowhere, and a question that the run lacks is a miss.
    assert report["results"]["r@2kt"]["s"]["all"] == {
        "queries": 3,
        "score": 0.0,
        "interval": [0.0, 0.0],
        "against_baseline": None,
    }
    recall = report["results"]["answer-recall@20"]["s"]
    assert (recall["all"]["queries"], recall["all"]["score"]) == (4, 0.25)
    assert "r@2kt leaves out 1 question without any answer but yes or no." in report["remarks"]
    predictions = json.loads((tmp_path / "out/xor-predictions.s.json").read_text())
    assert [(item["id"], len(item["ctxs"])) for item in predictions] == [
        ("1", 2),
        ("-2", 2),
        ("3", 2),
        ("4", 0),
    ]
