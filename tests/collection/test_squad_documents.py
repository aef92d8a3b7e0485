"""SQuAD's articles as long documents."""

from test_xquad import SQUAD, source  # noqa: F401  a fixture

from qgdr_pyserini.collection.collection import Collection
from qgdr_pyserini.collection.corpus import Passage, read_corpus
from qgdr_pyserini.collection.loaders.base import BuildRequest
from qgdr_pyserini.collection.loaders.squad_documents import build_squad_documents
from qgdr_pyserini.collection.topics import read_topics
from qgdr_pyserini.collection.trec import read_qrels


def test_articles_are_documents_and_questions_want_theirs(source, tmp_path):  # noqa: F811
    build_squad_documents(BuildRequest(output=tmp_path / "c", source=source))
    texts = {
        title: "\n".join(" ".join(text.split()) for text, _ in paragraphs) for title, paragraphs in SQUAD
    }
    assert list(read_corpus(tmp_path / "c")) == [
        Passage("Rhine", "Rhine", texts["Rhine"]),
        Passage("Danube_(river)", "Danube (river)", texts["Danube_(river)"]),
    ]
    assert read_topics(tmp_path / "c" / "topics.de.tsv") == {"xquad-de-a1": "Welcher Fluss?"}
    judged = read_qrels(Collection.open(tmp_path / "c").qrels)
    assert {qid: {*docids} for qid, docids in judged.items()} == {
        "xquad-de-a1": {"Danube_(river)"},
        "xquad-en-a1": {"Danube_(river)"},
    }
