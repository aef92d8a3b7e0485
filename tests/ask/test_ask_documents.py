"""Indexes of segments, asked: every document once, with the text of its best segment."""

import dataclasses

import pytest
from test_split_indexes import OPTIONS, corpus, whole  # noqa: F401  fixtures

from qgdr_pyserini.ask.asking import AskRequest, ask
from qgdr_pyserini.ask.engine import open_engine
from qgdr_pyserini.collection.passage_store import PassageStore
from qgdr_pyserini.encode.encode_corpus import encode_corpus
from qgdr_pyserini.errors import QgdrError


@pytest.mark.parametrize("mode", ["dense", "bm25", "hybrid"])
def test_documents_come_once_with_their_best_segment(mode, whole, tiny_encoder, tmp_path):  # noqa: F811
    request = AskRequest(whole, 6, str(tiny_encoder), bm25=tmp_path / "lucene", modes=(mode,))
    ((answer,),) = ask(request, ["where does the danube end?"])
    found = [hit.docid for hit in answer.hits]
    assert len({*found}) == len(found) == 6
    stored = {(item.docid.partition("#")[0], item.text) for item in PassageStore(whole / "passages.sqlite")}
    assert {(hit.docid, hit.text) for hit in answer.hits} <= stored


def test_documents_are_found_by_id_for_what_is_shown_beside_runs(whole, tiny_encoder):  # noqa: F811
    with open_engine(whole, encoder=str(tiny_encoder)) as engine:
        found = engine.find(["d5", "absent"])
    assert [*found] == ["d5"]
    assert found["d5"].docid == "d5#0"


def test_segments_that_are_not_beside_the_index(corpus, tiny_encoder, tmp_path):  # noqa: F811
    bare = dataclasses.replace(OPTIONS, store=False)
    encode_corpus(corpus, tmp_path / "index", str(tiny_encoder), options=bare)
    request = AskRequest(tmp_path / "index", encoder=str(tiny_encoder), corpus=str(corpus))
    with pytest.raises(QgdrError, match="index: has no segments beside it; add them by --resume"):
        list(ask(request, ["vienna"]))
