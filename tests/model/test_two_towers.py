"""Encoders of two towers: as a pair of names, as a folder of two, and as sentence-transformers' router."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from foreign_encoders import WIDTH, assert_close, bare_transformer, edit, saved_by_sentence_transformers
from pyserini.search.faiss import FaissSearcher
from sentence_transformers import SentenceTransformer
from sentence_transformers.models import Dense, Normalize, Pooling, Router, Transformer

import qgdr_pyserini
from qgdr_pyserini.cli import main
from qgdr_pyserini.encode.faiss_access import open_index
from qgdr_pyserini.encode.manifest import IndexManifest
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.towers import find_towers
from qgdr_pyserini.pyserini_plugin.encoders import QgdrDocumentEncoder, QgdrQueryEncoder

TEXTS = ["donau", "where does the danube rise?", "A" * 300]
PASSAGES = [f"passage {number}" for number in range(5)]


@pytest.fixture(scope="module")
def work(tmp_path_factory, tiny_encoder) -> Path:
    """A tower for questions, one for passages, a corpus, and an index of the two."""
    folder = tmp_path_factory.mktemp("towers")
    bare_transformer(folder / "bare", tiny_encoder)
    saved_by_sentence_transformers(folder / "asking", folder / "bare", layers=[Normalize()])
    shutil.copytree(tiny_encoder, folder / "answering")
    rows = [{"id": f"p{number}", "contents": text} for number, text in enumerate(PASSAGES)]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "topics.tsv").write_text("q1\tpassage 3\n")
    done = encode(folder, "index", f"{folder / 'asking'}+{folder / 'answering'}")
    assert done.exit_code == 0, done.output
    return folder


def qgdr(*arguments):
    return CliRunner().invoke(main, list(map(str, arguments)))


def encode(work: Path, index: str, encoder: object):
    places = ["--corpus", work / "corpus.jsonl", "--index", work / index]
    return qgdr("encode-corpus", *places, "--encoder", encoder, "--precision", "fp32")


def test_the_index_holds_the_second_ones_vectors_and_names_both(work):
    manifest = IndexManifest.read(work / "index")
    assert manifest.encoder == "asking+answering"
    asking, answering = (DualEncoder.from_pretrained(work / name) for name in ("asking", "answering"))
    assert manifest.fingerprint == answering.fingerprint
    assert manifest.maker_of_queries[:2] == ("asking", asking.fingerprint)
    assert_close(open_index(work / "index").reconstruct_n(0, 5), answering.encode_passages(PASSAGES))


@pytest.mark.parametrize("name", ["{0}/asking+{0}/answering", "{0}/asking"])
def test_questions_go_by_the_first_one_named_with_the_second_or_alone(work, name):
    searcher = FaissSearcher(str(work / "index"), "qgdr:" + name.format(work))
    expected = DualEncoder.from_pretrained(work / "asking").encode_queries(["passage 3"])[0]
    np.testing.assert_allclose(searcher.query_encoder.encode("passage 3"), expected, atol=1e-6)
    assert len(searcher.search("passage 3", k=5)) == 5
    assert len(qgdr_pyserini.Searcher(work / "index", name.format(work)).search("passage 3", k=2)) == 2


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "{0}/answering",
            r"encoded by asking\+answering, for queries of asking .* use the encoder for queries",
        ),
        ("{0}/answering+{0}/asking", "for queries of asking"),
        ("{0}/asking+{0}/bare", r"not by the second encoder of asking\+bare"),
        ("{0}/asking+{0}/asking", r"not by the second encoder of asking\+asking"),
    ],
)
def test_other_towers_are_refused(work, name, message):
    with pytest.raises(QgdrError, match=message):
        FaissSearcher(str(work / "index"), "qgdr:" + name.format(work))
    places = ["--topics", work / "topics.tsv", "--output", work / "refused", "--index", work / "index"]
    done = qgdr("encode-queries", *places, "--encoder", name.format(work))
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert not (work / "refused").exists()


def test_a_pair_over_the_index_of_one_encoder_is_refused(work):
    assert encode(work, "alone", work / "asking").exit_code == 0
    with pytest.raises(QgdrError, match=r"not by the second encoder of asking\+answering"):
        FaissSearcher(str(work / "alone"), f"qgdr:{work / 'asking'}+{work / 'answering'}")


def test_pyserinis_own_encoders_take_their_towers(work):
    name = f"qgdr:{work / 'asking'}+{work / 'answering'}"
    asking, answering = (DualEncoder.from_pretrained(work / part) for part in ("asking", "answering"))
    assert_close(QgdrQueryEncoder(name).encode("passage 3"), asking.encode_queries(["passage 3"])[0])
    assert_close(QgdrDocumentEncoder(name).encode(PASSAGES), answering.encode_passages(PASSAGES))


def test_a_folder_of_two_is_an_encoder(work):
    for part, tower in (("query_encoder", "asking"), ("passage_encoder", "answering")):
        shutil.copytree(work / tower, work / "both" / part)
    done = encode(work, "of-both", work / "both")
    assert done.exit_code == 0, done.output
    manifest = IndexManifest.read(work / "of-both")
    assert (manifest.encoder, manifest.maker_of_queries.encoder) == ("both", "both")
    assert manifest.fingerprint == IndexManifest.read(work / "index").fingerprint
    for name in ("both", "both/query_encoder", "asking"):
        assert FaissSearcher(str(work / "of-both"), f"qgdr:{work / name}").search("passage 3", k=1)
    shown = qgdr("encoders", "show", work / "both")
    assert f"questions: {work / 'both' / 'query_encoder'}" in shown.output


def router(first, second):
    return Router.for_query_document(query_modules=first, document_modules=second)


def saved_router(folder, bare, other):
    """Two transformers that sentence-transformers keeps in one folder."""
    ways = ([Transformer(str(place)), Pooling(WIDTH, way)] for place, way in ((bare, "cls"), (other, "mean")))
    theirs = SentenceTransformer(modules=[router(*ways), Normalize()], prompts={"query": "q: "}, device="cpu")
    theirs.save_pretrained(str(folder))
    return theirs


def test_a_router_of_sentence_transformers_is_two_towers_with_their_vectors(work, tiny_encoder, tmp_path):
    other = bare_transformer(tmp_path / "other", tiny_encoder, "mpnet")
    theirs = saved_router(tmp_path / "routed", work / "bare", other)
    asking = DualEncoder.from_pretrained(tmp_path / "routed", role="query")
    answering = DualEncoder.from_pretrained(tmp_path / "routed", role="passage")
    assert_close(asking.encode_queries(TEXTS), theirs.encode_query(TEXTS))
    assert_close(answering.encode_passages(TEXTS), theirs.encode_document(TEXTS))
    assert encode(work, "of-router", tmp_path / "routed").exit_code == 0
    assert FaissSearcher(str(work / "of-router"), f"qgdr:{tmp_path / 'routed'}").search("donau", k=1)


def test_ways_may_part_behind_the_transformer(work, tmp_path):
    torch.manual_seed(5)
    layers = router([Dense(WIDTH, 16)], [Dense(WIDTH, 16)])
    modules = [Transformer(str(work / "bare")), Pooling(WIDTH, "mean"), layers]
    theirs = SentenceTransformer(modules=modules, device="cpu")
    theirs.save_pretrained(str(tmp_path / "parting"))
    asking = DualEncoder.from_pretrained(tmp_path / "parting", role="query")
    answering = DualEncoder.from_pretrained(tmp_path / "parting", role="passage")
    assert_close(asking.encode_queries(TEXTS), theirs.encode_query(TEXTS))
    assert_close(answering.encode_passages(TEXTS), theirs.encode_document(TEXTS))
    assert asking.fingerprint != answering.fingerprint


def test_a_router_without_a_way_for_passages_is_named(work, tmp_path):
    saved_router(tmp_path / "routed", work / "bare", work / "bare")
    edit(tmp_path / "routed" / "router_config.json", lambda content: content["structure"].pop("document"))
    with pytest.raises(QgdrError, match="no way called document or passage or corpus"):
        DualEncoder.from_pretrained(tmp_path / "routed", role="passage")


def test_towers_of_other_dimensions_do_not_belong_together(work, tmp_path):
    layers = [Dense(WIDTH, 16)]
    saved_by_sentence_transformers(tmp_path / "narrow", work / "bare", layers=layers)
    done = encode(work, "mixed", f"{tmp_path / 'narrow'}+{work / 'answering'}")
    assert (done.exit_code, "vectors of 16 components, the second of 32" in done.stderr) == (2, True)
    assert not (work / "mixed").exists()


@pytest.mark.parametrize("name", ["qgdr+", "+qgdr", "qgdr+qgdr+qgdr"])
def test_a_pair_needs_two_names(name):
    with pytest.raises(QgdrError, match=r"two encoders are QUERY_ENCODER\+PASSAGE_ENCODER"):
        find_towers(name)


def test_a_name_of_ours_may_have_the_prefix_too():
    assert find_towers("qgdr:qgdr") == find_towers("qgdr")


def test_where_one_encoder_is_needed_a_pair_is_refused(work):
    with pytest.raises(QgdrError, match=r"asking\+answering: has two encoders"):
        DualEncoder.from_pretrained(f"{work / 'asking'}+{work / 'answering'}")


def test_a_folder_may_have_a_plus_in_its_name(work, tmp_path):
    shutil.copytree(work / "answering", tmp_path / "a+b")
    assert find_towers(f"qgdr:{tmp_path / 'a+b'}").shared


def test_a_model_that_pools_by_itself_is_one_line(work, tmp_path):
    from transformers import DPRConfig, DPRQuestionEncoder

    shutil.copytree(work / "bare", tmp_path / "dpr")
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    DPRQuestionEncoder(DPRConfig(vocab_size=99, **sizes)).save_pretrained(tmp_path / "dpr")
    with pytest.raises(QgdrError, match="a model of type dpr gives no vectors of tokens"):
        DualEncoder.from_pretrained(tmp_path / "dpr")
