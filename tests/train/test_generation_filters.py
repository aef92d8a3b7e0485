"""Which generated queries are kept: those in their language, for which the passage is found again."""

import json

import hub_layouts
import pytest
from click.testing import CliRunner
from training_slices import every_stage

from qgdr_pyserini.cli.main import main
from qgdr_pyserini.collection.corpus import Passage, write_corpus
from qgdr_pyserini.collection.tevatron import Candidate, CandidateList, read_candidates, write_candidates
from qgdr_pyserini.dictionary.language_id import LanguageIdentifier
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.query_generator import GeneratedQuery, QueryGenerator
from qgdr_pyserini.train.generation import GenerationSettings, keep_good
from qgdr_pyserini.train.stages import read_parts

DANUBE, COPY, RHINE = (
    Passage(docid, "", text)
    for docid, text in (("d", "The Danube rises."), ("c", "The Danube rises."), ("r", "The Rhine flows."))
)
TEXTS = {
    "a": ("de", "Wo entspringt die Donau und wohin fließt sie?"),
    "b": ("de", "Where does the Danube rise and where does it flow?"),
    "c": ("zh", "多瑙河发源于哪里？"),
    "d": ("zh_Hant", "多瑙河發源於哪裡？"),
    "e": ("bem", "Bushe Danube yafuma kwi?"),
}
ROWS = [CandidateList(qid, text, (Candidate(DANUBE),), lang=lang) for qid, (lang, text) in TEXTS.items()]
FOUND = {"a": ["r", "c"], "b": ["d"], "c": ["r"], "d": ["d"], "e": ["d"]}


def kept(search=None, **values):
    settings = GenerationSettings(languages=["de", "zh", "zh_Hant", "bem"], **values)
    found = keep_good(ROWS, settings, search)
    return [row.query_id for row in found.rows], found.counts


def search(rows, depth):
    passages = {passage.docid: passage for passage in (DANUBE, COPY, RHINE)}
    return {row.query_id: FOUND[row.query_id][:depth] for row in rows}, passages


def test_queries_are_kept_in_their_language_and_where_their_passage_is_found():
    counts = {"written": 5, "in_another_language": 1, "not_found_again": 0}
    assert kept(check_language=True) == (["a", "c", "d", "e"], counts)
    assert kept(search, round_trip=2)[0] == ["a", "b", "d", "e"]
    assert kept(search, round_trip=1)[0] == ["b", "d", "e"]
    both = kept(search, check_language=True, round_trip=1)
    assert both == (["d", "e"], counts | {"not_found_again": 2})
    assert kept(check_language=True)[0] != kept()[0] == [*TEXTS]


def test_what_is_kept_is_identified_as_what_was_asked_for():
    identifier = LanguageIdentifier(["de", "en", "zh"])
    rows = {row.query_id: row for row in ROWS}
    for qid in kept(check_language=True)[0][:2]:
        assert identifier.identify(rows[qid].query) == rows[qid].lang


def test_nothing_left_is_an_error():
    with pytest.raises(QgdrError, match=r"none of 5 .* kept \(5 were in their language.*set check_language"):
        kept(lambda rows, depth: ({}, {}), round_trip=3)
    assert keep_good([], GenerationSettings(check_language=True), None).rows == []


@pytest.fixture
def folder(tmp_path):
    write_candidates(tmp_path / "rows.jsonl", [CandidateList("q", "Where?", (Candidate(DANUBE),), lang="en")])
    write_corpus(tmp_path / "corpus.jsonl", [DANUBE, RHINE])
    hub_layouts.causal(tmp_path / "qwen2")
    return tmp_path


def qgdr(folder, *more):
    given = [
        "--generator",
        folder / "qwen2",
        "--input",
        folder / "rows.jsonl",
        "--output",
        folder / "new.jsonl",
    ]
    return CliRunner().invoke(main, ["generate-queries", *map(str, [*given, *more])])


def test_the_command_tells_what_it_dropped(folder, tiny_encoder, monkeypatch):
    def write(self, passages, languages, n, **_):
        return [GeneratedQuery(0, lang, text) for lang in languages for _, text in list(TEXTS.values())[:2]]

    monkeypatch.setattr(QueryGenerator, "generate", write)
    options = ["--language", "de", "--check-language", "--round-trip", 2, "--corpus", folder / "corpus.jsonl"]
    done = qgdr(folder, *options, "--encoder", tiny_encoder)
    assert done.exit_code == 0, done.output
    assert done.stdout == f"1 queries written: {folder / 'new.jsonl'}\n"
    assert "of 2 dropped: 1 in another language, 0 not found again" in done.stderr
    assert [row.query for row in read_candidates(folder / "new.jsonl")] == [TEXTS["a"][1]]


def test_a_search_needs_a_corpus(folder):
    done = qgdr(folder, "--language", "de", "--round-trip", 2)
    assert done.exit_code == 2
    assert "--round-trip needs --corpus" in done.stderr


def test_the_pipeline_filters_and_counts(invented_folder, tmp_path):
    filters = "n = 4\ncheck_language = true\nround_trip = 30"
    recipe = every_stage(tmp_path, iterations="iterations = 1", languages_per_query=filters)
    run = tmp_path / "run"
    planned = CliRunner().invoke(main, ["train", str(recipe), "--dry-run"]).output
    assert "in de, ru, those in their language, those found in 30" in planned
    arguments = ["train", str(recipe), "--data", str(invented_folder), "--output", str(run)]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    record = json.loads((run / "1-generate" / "stage.json").read_text())["record"]
    rows, written = list(read_parts(run / "1-generate")), list(read_parts(run / "1-generate" / "written"))
    assert len(rows) == record["queries"] > 0
    assert len(written) == record["written"]
    dropped = record["in_another_language"] + record["not_found_again"]
    # Twins are questions that people asked; they are not filtered.
    kept = [row for row in rows if not row.query_id.endswith(".twin")]
    assert 0 < len(kept) < len(rows)
    assert dropped == len(written) - len(kept) > 0
    identifier = LanguageIdentifier(["de", "en", "ru"])
    assert all(identifier.identify(row.query) == row.lang for row in kept)
