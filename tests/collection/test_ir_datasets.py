"""``qgdr collection build ir_datasets:NAME``: sets registered in the library, read by its own readers."""

import collections
import json
import socket
import tracemalloc
from pathlib import Path

import ir_datasets
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from ir_datasets.datasets.base import Dataset
from ir_datasets.datasets.beir import BeirDocs, BeirQrels, BeirQueries, BeirTitleDoc
from ir_datasets.formats import (
    GenericDoc,
    GenericQuery,
    TrecDocs,
    TrecQrels,
    TrecQueries,
    TsvDocs,
    TsvQueries,
)
from ir_datasets.util.download import Download, RequestsDownload, _DownloadConfig
from ir_sets import local, news_set, register, tsv_set

from qgdr_pyserini.cli.main import main
from qgdr_pyserini.collection.collection import Collection
from qgdr_pyserini.collection.corpus import read_corpus
from qgdr_pyserini.collection.loaders.base import BuildRequest, build_collection
from qgdr_pyserini.collection.loaders.ir_library import citations, find_dataset, licence_text, terms_of_use
from qgdr_pyserini.collection.loaders.records import TrecIds, field_language
from qgdr_pyserini.collection.topics import read_topics
from qgdr_pyserini.collection.trec import read_qrels
from qgdr_pyserini.errors import QgdrError


@pytest.fixture(autouse=True)
def _library_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IR_DATASETS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("IR_DATASETS_DL_TRIES", "1")


def build(name: str, output: Path, *options: str):
    return CliRunner().invoke(main, ["collection", "build", name, "--output", str(output), *options])


def built(name: str, output: Path, *options: str) -> Collection:
    result = build(name, output, *options)
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return Collection.open(output)


def assert_refused(result, output: Path, *parts: str) -> None:
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    for part in parts:
        assert part in result.stderr
    assert not output.exists()
    assert not list(output.parent.glob(f".{output.name}*"))


def test_graded_news_with_topics_in_two_languages(tmp_path: Path) -> None:
    name = news_set(tmp_path / "in", "qgdr-news/zh/test")
    fields = ("--query-field", "title,description", "--query-field", "ht_title")
    news = built(name, tmp_path / "out", *fields)
    assert {language: read_topics(file) for language, file in news.topics.items()} == {
        "en": {
            "qgdr_news_zh_test-en-101": "capital About capital.",
            "qgdr_news_zh_test-en-102": "tea About tea.",
        },
        "zh": {"qgdr_news_zh_test-zh-101": "人capital", "qgdr_news_zh_test-zh-102": "人tea"},
    }
    assert read_qrels(news.qrels)["qgdr_news_zh_test-zh-101"] == {"news2": 3, "news3": 0}
    assert [(item.docid, item.title, item.text) for item in read_corpus(news.corpus)][:2] == [
        ("news%20one", "茶", "茶是一种饮料。"),
        ("news2", "北京", "北京是首都。"),
    ]
    assert news.manifest["passage_language"] == "zh"
    assert news.manifest["query_fields"] == ["title,description", "ht_title"]


def test_what_was_left_out_is_counted_and_said(tmp_path: Path) -> None:
    name = news_set(tmp_path / "in", "qgdr-news/zh/test")
    result = build(name, tmp_path / "out", "--query-field", "mt_title")
    manifest = Collection.open(tmp_path / "out").manifest
    assert manifest["counts"]["absent"] == {"passages": 1, "qrels": 1, "relevant": 1, "questions": 1}
    assert manifest["remarks"] == [
        "Judgements of 1 ids are of no query in zh; left out.",
        "1 document ids hold blanks, which TREC files cannot; written as %20.",
    ]
    assert "note: 1 judged passages are not in the corpus: 1 judgements (1 relevant) of 1" in result.stdout
    assert all(f"note: {remark}" in result.stdout for remark in manifest["remarks"])


def test_queries_without_judgements_or_text_and_documents_listed_twice(tmp_path: Path) -> None:
    name = tsv_set(
        tmp_path / "in",
        "qgdr-table",
        docs="d1\tOulu.\nd2\tTea.\nd1\tAgain.\n",
        queries="1\tWhich  city?\n2\t \n3\tUnjudged?\n",
        qrels="1 0 d1 1\n1 1 d1 2\n2 0 d2 1\n",
    )
    table = built(name, tmp_path / "out")
    assert read_topics(table.topics["en"]) == {"qgdr_table-en-1": "Which city?"}
    assert read_qrels(table.qrels) == {"qgdr_table-en-1": {"d1": 2}, "qgdr_table-en-2": {"d2": 1}}
    assert [item.text for item in read_corpus(table.corpus)] == ["Oulu.", "Tea."]
    assert table.manifest["remarks"] == [
        "1 judgements repeat a query and a document; the highest grade counts.",
        "1 query in en has no judgements; left out.",
        "1 query in en has no text in the chosen fields; not asked, and counted as not found.",
        "1 documents have the id of an earlier one; left out.",
    ]


def test_trec_readers_by_their_fields(tmp_path: Path) -> None:
    docs = (
        "<DOC>\n<DOCNO> A-1 </DOCNO>\n<HEADLINE>Rivers</HEADLINE>\n<TEXT>\nThe Danube.\n</TEXT>\n</DOC>\n"
        "<DOC>\n<DOCNO> A-2 </DOCNO>\n<TEXT>\nTea.\n</TEXT>\n</DOC>\n"
    )
    topics = (
        "<top>\n<num> Number: 51\n<title> Topic: Rivers\n<desc> Description:\nOf Europe.\n"
        "<narr> Narrative:\nAny.\n</top>\n"
    )
    name = register(
        "qgdr-sgml",
        TrecDocs(local(tmp_path / "in" / "docs.sgml", docs), parser="sax", lang="en"),
        TrecQueries(local(tmp_path / "in" / "topics.txt", topics), lang="en"),
        TrecQrels(local(tmp_path / "in" / "qrels", "51 0 A-1 1\n"), {}),
    )
    sgml = built(name, tmp_path / "out", "--query-field", "description", "--doc-fields", "body")
    assert read_topics(sgml.topics["en"]) == {"qgdr_sgml-en-51": "Of Europe."}
    assert [(item.title, item.text) for item in read_corpus(sgml.corpus)] == [
        ("", "The Danube."),
        ("", "Tea."),
    ]
    whole = built(name, tmp_path / "whole")
    assert read_topics(whole.topics["en"]) == {"qgdr_sgml-en-51": "Rivers"}
    assert next(read_corpus(whole.corpus)).contents == "Rivers\nThe Danube."


def test_beir_readers_with_a_store_of_documents(tmp_path: Path) -> None:
    docs = [
        {"_id": "d1", "title": "Oulu", "text": "A city."},
        {"_id": "d2", "title": "", "text": "\ud800 Tea."},
    ]
    name = register(
        "qgdr-beir",
        BeirDocs(
            "qgdr", local(tmp_path / "docs.jsonl", "".join(json.dumps(d) + "\n" for d in docs)), BeirTitleDoc
        ),
        BeirQueries("qgdr", local(tmp_path / "q.jsonl", '{"_id": "q 1", "text": "Which?"}\n'), GenericQuery),
        BeirQrels(local(tmp_path / "qrels.tsv", "query-id\tcorpus-id\tscore\nq\td1\t1\n"), {}),
    )
    assert_refused(build(name, tmp_path / "out"), tmp_path / "out", "none of the queries in 'en' has judgem")
    local(tmp_path / "q.jsonl", '{"_id": "q", "text": "Which?"}\n')
    beir = built(name, tmp_path / "out")
    assert [(item.title, item.text) for item in read_corpus(beir.corpus)] == [
        ("Oulu", "A city."),
        ("", "? Tea."),
    ]


def test_equal_sets_give_equal_bytes(tmp_path: Path) -> None:
    name = news_set(tmp_path / "in", "qgdr-news/zh/test")
    first, second = built(name, tmp_path / "a"), built(name, tmp_path / "b")
    assert first.manifest == second.manifest


def test_documents_are_never_whole_in_memory(tmp_path: Path) -> None:
    class Long(TsvDocs):
        def docs_iter(self):
            return (GenericDoc(f"d{n}", f"{n} " + "word " * 4_000) for n in range(2_000))

    name = register(
        "qgdr-long",
        Long(None, lang="en"),
        TsvQueries(local(tmp_path / "q", "1\tWhich?\n"), lang="en"),
        TrecQrels(local(tmp_path / "r", "1 0 d1 1\n"), {}),
    )
    find_dataset("qgdr-long")
    tracemalloc.start()
    try:
        long = build_collection(name, BuildRequest(output=tmp_path / "out"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert long.corpus.stat().st_size > 80_000_000
    assert peak < 8_000_000


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--query-field", "titel"), "--query-field: no field 'titel'; did you mean title? There are title"),
        (("--doc-fields", "title,body"), "--doc-fields: no field 'body'; there are title, text, url"),
        (("--query-field", "title,mt_title"), "are in several languages; give each a --query-field"),
        (("--query-field", "title", "--query-field", "description"), "choices of queries are both in 'en'"),
        (("--language", "de"), "has its queries in en, not in de; leave --language out"),
        (("--corpus", "x"), "takes no --corpus; leave it out"),
        (("--source", "hub"), "leave out --source"),
    ],
)  # fmt: skip
def test_options_that_do_not_fit(tmp_path: Path, options: tuple[str, ...], problem: str) -> None:
    name = news_set(tmp_path / "in", "qgdr-news/zh/test")
    assert_refused(build(name, tmp_path / "out", *options), tmp_path / "out", problem)


def test_names_that_the_library_lacks(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert_refused(
        build("ir_datasets:hc4/zh/tset", out), out, "no set 'hc4/zh/tset'; did you mean hc4/zh/test"
    )
    assert_refused(build("ir_datasets:qqqqqq", out), out, "see https://ir-datasets.com for all names")
    assert_refused(build("ir_datasets", out), out, "name the data set: ir_datasets:NAME")
    assert_refused(build("ir_datasets:hc4/zh", out), out, "has no queries and no judgements", "hc4/zh/test")
    register("qgdr-alone", TsvDocs(local(tmp_path / "docs.tsv", "d1\tText.\n"), lang="en"))
    assert_refused(build("ir_datasets:qgdr-alone", out), out, "no set of qgdr-alone has all")


@pytest.mark.parametrize(
    ("name", "fields", "language"),
    [
        ("text", ("text",), None),
        ("text,doc_id,url", ("doc_id",), None),
        ("title_es,title_en,description_es1", ("title_es", "description_es1"), "es"),
        ("title_es,title_en", ("title_en",), "en"),
        ("title,ru_mt_title,zh_mt_title", ("ru_mt_title",), "ru"),
        ("title,ru_mt_title,zh_mt_title", ("title",), "en"),
        ("title,ht_title,translation_lang", ("ht_title",), "fa"),
        ("title,ht_title,translation_lang", ("title",), "en"),
        ("title,ht_title,translation_lang", (), "en"),
    ],
)
def test_languages_that_fields_tell(name: str, fields: tuple[str, ...], language: str | None) -> None:
    names = name.split(",")
    record = collections.namedtuple("Query", ["query_id", *names])("7", *names)
    if "translation_lang" in names:
        record = record._replace(translation_lang="fa")
    assert field_language(record, fields) == language


def test_a_set_that_says_no_language(tmp_path: Path) -> None:
    tsv_set(tmp_path / "in", "qgdr-mute")
    name = register(
        "qgdr-mute",
        TsvDocs(local(tmp_path / "d", "d1\tMikä.\n")),
        TsvQueries(local(tmp_path / "q", "1\tMikä?\n")),
        TrecQrels(local(tmp_path / "r", "1 0 d1 1\n"), {}),
    )
    out = tmp_path / "out"
    assert_refused(build(name, out), out, "does not say which language its queries are in; pass --language")
    assert_refused(build(name, out, "--language", "Finnish"), out, "'Finnish' is not a language code")
    assert built(name, out, "--language", "fi").languages == ("fi",)


def _config(tmp_path: Path, entry: dict, terms: str | None = None):
    """Describe a file as the library's own sets do."""
    return _DownloadConfig(contents={"docs": entry}, base_path=tmp_path / "cache", dua=terms)["docs"]


def _set_with(download, tmp_path: Path, name: str) -> str:
    return register(
        name,
        TsvDocs(download, lang="en"),
        TsvQueries(local(tmp_path / "q", "1\tWhich?\n"), lang="en"),
        TrecQrels(local(tmp_path / "r", "1 0 d1 1\n"), {}),
    )


def test_what_only_the_owner_gives_is_named_with_the_librarys_instructions(tmp_path: Path) -> None:
    entry = {"instructions": "Ask the owner.\nLink the file here: {path}", "cache_path": "owned.tsv"}
    name = _set_with(_config(tmp_path, entry), tmp_path, "qgdr-owned")
    file = tmp_path / "cache" / "owned.tsv"
    result = build(name, tmp_path / "out")
    assert_refused(
        result,
        tmp_path / "out",
        f"its files must be had from their owner: Ask the owner. Link the file here: {file}.",
        "https://ir-datasets.com/qgdr-owned.html#DataAccess",
    )
    local(file, "d1\tText.\n")
    assert built(name, tmp_path / "out").manifest["counts"]["passages"] == 1


def test_terms_of_use_are_to_be_accepted(tmp_path: Path) -> None:
    terms = "Please confirm you agree to the terms found at <https://example.org/terms>"
    local(tmp_path / "cache" / "t.tsv", "d1\tText.\n")
    name = _set_with(_config(tmp_path, {"url": "http://x", "cache_path": "t.tsv"}, terms), tmp_path, "qgdr-t")
    out = tmp_path / "out"
    assert_refused(build(name, out), out, terms, "read them, then pass --accept-licence")
    assert built(name, out, "--accept-licence").manifest["licence"] == terms


def test_no_network(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        # Bound, not listening: a connection is refused.
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/docs.tsv"
        name = _set_with(Download([RequestsDownload(url)], tmp_path / "docs.tsv"), tmp_path, "qgdr-far")
        result = build(name, tmp_path / "out")
    assert_refused(
        result, tmp_path / "out", "its documents cannot be fetched (ConnectionError", "the network"
    )


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        (
            {"docs": "d1\tText.\nd2\tText.\tMore.\n"},
            "its documents cannot be read (RuntimeError: expected 2 fie",
        ),
        ({"docs": ""}, "holds no documents"),
        ({"queries": ""}, "holds no queries"),
        ({"qrels": "1 0 d1\n"}, "its judgements (qrels) cannot be read (RuntimeError: expected 4 columns"),
        ({"docs": "a b\tx\na%20b\ty\n"}, "the document ids 'a%20b' and 'a b' would both be 'a%20b'"),
        ({"docs": "d1\tx\n\ty\n"}, "a document has no id"),
        ({"queries": "1\tx\n1\ty\n"}, "two queries have the id '1'"),
    ],
)
def test_sets_that_cannot_be_read(tmp_path: Path, files: dict, problem: str) -> None:
    name = tsv_set(tmp_path / "in", "qgdr-broken", **files)
    assert_refused(build(name, tmp_path / "out"), tmp_path / "out", problem)


@settings(deadline=None)
@given(st.lists(st.text(" \t\u00a0ab%20", min_size=1, max_size=4).filter(str.strip), max_size=30))
def test_ids_are_rewritten_one_to_one_or_refused(originals: list[str]) -> None:
    ids, names = TrecIds("document"), {}
    for original in originals:
        try:
            names[original] = ids(original)
        except QgdrError:
            assert original not in names
    assert len(set(names.values())) == len(names)
    assert all(name.split() == [name] for name in names.values())
    assert all(name == original for original, name in names.items() if original.split() == [original])


def test_every_complete_set_of_the_library_has_fields_terms_and_a_source() -> None:
    # Nothing is fetched: what is asked here is what a build asks before its first document.
    names = [
        name
        for name in ir_datasets.registry
        if not name.startswith("qgdr")
        and all(ir_datasets.registry[name].has(kind) for kind in ("docs", "queries", "qrels"))
    ]
    assert len(names) > 500
    terms = set()
    for name in names:
        found = find_dataset(name)
        assert found.fields("docs")
        assert found.fields("queries")
        if terms_of_use(found.handle, name):
            terms.add(name.split("/")[0])
    assert {"antique", "disks45", "msmarco-passage", "msmarco-qna", "neumarco"} <= terms
    assert not {"hc4", "cranfield", "miracl", "neuclir"} & terms


def test_licence_and_citation_of_the_librarys_own_sets() -> None:
    touche = find_dataset("argsme/2020-04-01/touche-2020-task-1")
    assert "Creative Commons Attribution 4.0 International <https://creativecommons.org/" in licence_text(
        touche
    )
    hc4 = find_dataset("hc4/zh/test")
    assert licence_text(hc4) == "not stated by ir_datasets; see https://ir-datasets.com/hc4.html"
    (entry,) = citations(hc4)
    assert entry.startswith("@")
    assert "Lawrie2022HC4" in entry
    assert citations(find_dataset(register_bare())) == []


def register_bare() -> str:
    name = "qgdr-bare"
    ir_datasets.registry._registered.pop(name, None)
    parts = (TsvDocs(None), TsvQueries(None), TrecQrels(None, {}))
    ir_datasets.registry.register(name, Dataset(*parts))
    return name
