"""``qgdr collection build trec``: documents, topics and judgements as TREC and CLEF hand them out."""

import gzip
from pathlib import Path

import pytest
from click.testing import CliRunner

from qgdr_pyserini.cli.main import main
from qgdr_pyserini.collection.collection import Collection
from qgdr_pyserini.collection.corpus import read_corpus
from qgdr_pyserini.collection.topics import read_topics
from qgdr_pyserini.collection.trec import read_qrels

DOCS = """<DOC>
<DOCNO> {0} </DOCNO>
<HEADLINE>
Rivers &amp; lakes
</HEADLINE>
<TEXT>
<P>Die Donau fließt.</P>
</TEXT>
</DOC>
"""
ENGLISH = """<top>

<num> Number: 301
<title> Rivers of
Europe

<desc> Description:
Which rivers?

<narr> Narrative:
All of them.

</top>
"""
GERMAN = """<top>
<num> 301 </num>
<DE-title> Flüsse Europas </DE-title>
<DE-desc> Welche Flüsse? </DE-desc>
</top>
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IR_DATASETS_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    Path("docs/b").mkdir(parents=True)
    Path("docs/b/two[1].gz").write_bytes(gzip.compress(DOCS.format("D-2").encode()))
    Path("docs/a.sgml").write_text(DOCS.format("D-1"), encoding="utf-8")
    Path("topics.en").write_text(ENGLISH, encoding="utf-8")
    Path("topics.de.gz").write_bytes(gzip.compress(GERMAN.encode("latin-1")))
    Path("qrels").write_text("301 0 D-1 2.0\n301 0 D-9 1\n")
    return tmp_path


def build(*options: str, topics: str = "en=topics.en", corpus: str = "docs", qrels: str = "qrels"):
    words = ("trec", "--corpus", corpus, "--qrels", qrels, "--topics", topics, "--output", "out", *options)
    return CliRunner().invoke(main, ["collection", "build", *words])


def test_documents_and_topics_in_sgml(folder: Path) -> None:
    result = build("--query-field", "title,description")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "note: 1 judged passages are not in the corpus: 1 judgements (1 relevant) of 1" in result.stdout
    built = Collection.open("out")
    assert read_topics(built.topics["en"]) == {"trec-en-301": "Rivers of Europe Which rivers?"}
    assert read_qrels(built.qrels) == {"trec-en-301": {"D-1": 2, "D-9": 1}}
    assert [(item.docid, item.title, item.text) for item in read_corpus(built.corpus)] == [
        ("D-1", "Rivers & lakes", "Die Donau fließt."),
        ("D-2", "Rivers & lakes", "Die Donau fließt."),
    ]


def test_topics_in_several_languages_share_the_judgements(folder: Path) -> None:
    Path("topics.de").write_text(GERMAN, encoding="utf-8")
    result = build("--topics", "de=topics.de")
    assert result.exit_code == 0, result.output
    built = Collection.open("out")
    assert read_topics(built.topics["de"]) == {"trec-de-301": "Flüsse Europas"}
    assert read_qrels(built.qrels).keys() == {"trec-en-301", "trec-de-301"}


def test_other_encodings(folder: Path) -> None:
    Path("latin.sgml").write_text(DOCS.format("D-1"), encoding="latin-1")
    result = build("--encoding", "latin-1", topics="de=topics.de.gz", corpus="latin.sgml")
    assert result.exit_code == 0, result.output
    assert read_topics(Collection.open("out").topics["de"]) == {"trec-de-301": "Flüsse Europas"}
    assert next(read_corpus("out")).text == "Die Donau fließt."


def test_documents_listed_twice_are_counted(folder: Path) -> None:
    Path("docs/c").write_text(DOCS.format("D-1"), encoding="utf-8")
    result = build()
    assert "note: 1 documents have the id of an earlier one; left out." in result.stdout
    assert Collection.open("out").manifest["counts"]["passages"] == 2


def test_a_corpus_of_json_lines(folder: Path) -> None:
    Path("corpus.jsonl").write_text('{"id": "D-1", "text": "Danube."}\n')
    assert build(corpus="corpus.jsonl").exit_code == 0
    assert [item.text for item in read_corpus("out")] == ["Danube."]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"topics": "topics.en"}, "--topics 'topics.en': needs LANG=FILE"),
        ({"topics": "en=absent"}, "absent: no such file"),
        ({"topics": "en=qrels"}, "qrels: holds no TREC topics; needs <top>, <num> and <title>"),
        ({"topics": "de=topics.de.gz"}, "topics.de.gz: not utf-8"),
        ({"topics": "en=short"}, "short: a topic lacks one of query_id, title, description; has {'query_id'"),
        ({"corpus": "absent"}, "absent: no such file or folder"),
        ({"corpus": "qrels"}, "qrels: holds no TREC documents; needs <DOC>"),
        ({"corpus": "latin.sgml"}, "latin.sgml: document 'D-1' is not UTF-8"),
        ({"qrels": "absent"}, "absent: no such file"),
        ({"qrels": "topics.en"}, "topics.en:1: needs 4 columns"),
        ({"more": ("--query-field", "narative")}, "no field 'narative'; did you mean narrative?"),
        ({"more": ("--encoding", "klingon")}, "--encoding 'klingon': not known"),
        ({"more": ("--source", "x")}, "trec is built of files: give --corpus PATH, --topics LANG=FILE"),
        ({"more": ("--topics", "en=topics.en")}, "two choices of queries are both in 'en'"),
    ],
)
def test_what_is_wrong_is_one_line_and_leaves_nothing(folder: Path, options: dict, problem: str) -> None:
    Path("latin.sgml").write_text(DOCS.format("D-1"), encoding="latin-1")
    Path("short").write_text(ENGLISH.split("<narr>")[0] + "</top>\n<top>\n<num> 302\n<title> x\n</top>\n")
    before = sorted(folder.iterdir())
    result = build(*options.pop("more", ()), **options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert problem in result.stderr
    assert result.stderr.count("\n") == 1
    assert [path for path in sorted(folder.iterdir()) if path.name != "home"] == before
