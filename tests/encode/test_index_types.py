"""Every kind of index finds what it should, and shards join into what an undivided run makes."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch  # noqa: F401  before faiss

# isort: split
import faiss
from test_encode_corpus import WORDS, files

from qgdr_pyserini.collection.corpus import Passage, write_corpus
from qgdr_pyserini.encode.encode_corpus import encode_corpus
from qgdr_pyserini.encode.faiss_access import ivf_of, parts
from qgdr_pyserini.encode.faiss_types import INDEX_TYPES, IndexParameters, IndexType
from qgdr_pyserini.encode.merge import merge_shards
from qgdr_pyserini.encode.options import EncodingOptions, Shard
from qgdr_pyserini.errors import InputError, QgdrError

RECALL = {"flat": 1.0, "fp16": 0.98, "sq8": 0.9, "pq": 0.2, "hnsw": 0.95, "ivf": 0.7, "ivfpq": 0.2}


def vectors(count, dimension=32):
    rows = np.random.default_rng(3).standard_normal((count, dimension)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def passage(number):
    words = np.random.default_rng(number).choice(WORDS, 2 + number % 17)
    return Passage(f"d{number}", "", " ".join([*words, str(number)]))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "corpus.jsonl"
    write_corpus(path, map(passage, range(150)))
    return path


def options(kind="flat", shard="1/1", window=16):
    return EncodingOptions("cpu", None, 300, window, kind, "fp32", Shard.parse(shard))


@pytest.fixture(scope="module")
def shards(tiny_encoder, corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    for number in (1, 2, 3):
        encode_corpus(corpus, folder / str(number), str(tiny_encoder), options=options("sq8", f"{number}/3"))
    return [folder / str(number) for number in (1, 2, 3)]


@pytest.mark.parametrize("kind", INDEX_TYPES)
def test_recall_and_reconstruction(kind, tmp_path):
    found = vectors(2000)
    IndexType(kind).write(found, tmp_path / "index")
    index = faiss.read_index(str(tmp_path / "index"))
    assert (index.ntotal, index.d, index.metric_type) == (2000, 32, faiss.METRIC_INNER_PRODUCT)
    queries = found[:50] + 0.05 * vectors(50)
    exact = np.argsort(-queries @ found.T, axis=1)[:, :10]
    _, rows, rebuilt = index.search_and_reconstruct(queries, 10)
    recall = np.mean([len(set(one) & set(other)) / 10 for one, other in zip(exact, rows, strict=True)])
    assert recall >= RECALL[kind]
    assert (rows >= 0).all()
    assert np.abs(rebuilt[:, 0] - found[rows[:, 0]]).max() < (0.7 if "pq" in kind else 0.01)


@pytest.mark.parametrize("kind", INDEX_TYPES)
@pytest.mark.parametrize("count", [2, 40])
def test_small_corpora_fit_every_kind(kind, count, tmp_path):
    IndexType(kind).write(vectors(count), tmp_path / "index")
    index = faiss.read_index(str(tmp_path / "index"))
    assert index.search(vectors(count), 1)[1].shape == (count, 1)


def test_search_parameters_are_in_the_file(tmp_path):
    IndexType("hnsw").write(vectors(500), tmp_path / "hnsw")
    IndexType("ivf").write(vectors(2000), tmp_path / "ivf")
    assert faiss.read_index(str(tmp_path / "hnsw")).hnsw.efSearch == 128
    ivf = faiss.read_index(str(tmp_path / "ivf"))
    assert (ivf.nlist, ivf.nprobe) == (51, 13)


def built_by_hand(kind, rows):
    """What the names stood for before they stood for factory strings."""
    dimension = rows.shape[1]
    metric, quantizer = faiss.METRIC_INNER_PRODUCT, faiss.IndexFlatIP(dimension)
    index = {
        "flat": lambda: faiss.IndexFlatIP(dimension),
        "fp16": lambda: faiss.IndexScalarQuantizer(dimension, faiss.ScalarQuantizer.QT_fp16, metric),
        "sq8": lambda: faiss.IndexScalarQuantizer(dimension, faiss.ScalarQuantizer.QT_8bit, metric),
        "pq": lambda: faiss.IndexPQ(dimension, 8, 8, metric),
        "hnsw": lambda: faiss.IndexHNSWFlat(dimension, 32, metric),
        "ivf": lambda: faiss.IndexIVFFlat(quantizer, dimension, 15, metric),
        "ivfpq": lambda: faiss.IndexIVFPQ(quantizer, dimension, 15, 8, 8, metric),
    }[kind]()
    if kind == "hnsw":
        index.hnsw.efConstruction, index.hnsw.efSearch = 200, 128
    index.train(rows)
    index.add(rows)
    if "ivf" in kind:
        index.nprobe = 4
    return index


@pytest.mark.parametrize("kind", INDEX_TYPES)
def test_a_name_makes_the_index_that_it_always_made(kind, tmp_path):
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    rows = vectors(600)
    IndexType(kind).write(rows, tmp_path / "index")
    found, expected = faiss.read_index(str(tmp_path / "index")), built_by_hand(kind, rows)
    for one, other in zip(found.search(rows[:50], 10), expected.search(rows[:50], 10), strict=True):
        np.testing.assert_array_equal(one, other)
    faiss.write_index(expected, str(tmp_path / "expected"))
    assert (tmp_path / "index").read_bytes() == (tmp_path / "expected").read_bytes()
    faiss.omp_set_num_threads(threads)


@pytest.mark.parametrize(
    ("string", "recall"),
    [("IVF4,PQ8x4,RFlat", 0.3), ("HNSW8,SQ8", 0.9), ("OPQ4,PQ4x4", 0.1), ("PCA16,IVF4,Flat", 0.2)],
)
def test_any_factory_string_makes_an_index(string, recall, tmp_path, capfd):
    rows = vectors(300)
    kind = IndexType(string)
    kind.refuse_unusable(32)
    kind.write(rows, tmp_path / "index")
    assert "WARNING" not in capfd.readouterr().err
    index = faiss.read_index(str(tmp_path / "index"))
    assert (index.ntotal, index.d, index.metric_type) == (300, 32, faiss.METRIC_INNER_PRODUCT)
    exact = np.argsort(-rows[:50] @ rows.T, axis=1)[:, :10]
    found = index.search(rows[:50], 10)[1]
    assert (
        np.mean([len(set(one) & set(other)) / 10 for one, other in zip(exact, found, strict=True)]) > recall
    )


def test_a_rotation_of_fewer_vectors_than_components_is_refused(tmp_path):
    with pytest.raises(
        QgdrError, match=r"of 20 passages \(OPQ needs as many as a vector has components, 32\)"
    ):
        IndexType("OPQ4,PQ4x2").write(vectors(20), tmp_path / "index")


def test_parameters_shape_the_index_and_are_saved_in_it(tmp_path):
    def made(name, **parameters):
        IndexType(name, IndexParameters(**parameters)).write(vectors(300), tmp_path / "index")
        return faiss.read_index(str(tmp_path / "index"))

    ivfpq = made("ivfpq", nlist=5, nprobe=2, pq_m=4, pq_nbits=5)
    assert (ivfpq.nlist, ivfpq.nprobe, ivfpq.pq.M, ivfpq.pq.nbits) == (5, 2, 4, 5)
    # A part of an index is gone with it, so the index has a name.
    graph = made("hnsw", hnsw_m=8, ef_construction=50, ef_search=60)
    assert (graph.hnsw.nb_neighbors(1), graph.hnsw.efConstruction, graph.hnsw.efSearch) == (8, 50, 60)
    behind = made("PCA16,IVF6,Flat", nprobe=3)
    assert ivf_of(behind).nprobe == 3
    above = made("IVF6_HNSW4,Flat", ef_search=33)
    assert [part.hnsw.efSearch for part in parts(above) if hasattr(part, "hnsw")] == [33]
    assert made("IVF6,Flat").nprobe == 2


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("falt", {}, "'falt': could not parse index string falt; choose one of flat, fp16"),
        ("", {}, "could not parse"),
        ("PQ7", {}, "dimension of the vector .* multiple of the number of subquantizers"),
        ("pq", {"pq_m": 7}, "multiple of the number of subquantizers"),
        ("PQ8x24", {}, "a code of 24 bits a part; 1 to 16 are possible"),
        ("HNSW1", {}, "a graph needs two links"),
        ("IVF0,Flat", {}, "an inverted file needs a cell"),
        ("IDMap,Flat", {}, "IDMap has no place"),
        ("PCA64,Flat", {}, "PCA cannot make 64 components of 32"),
        ("IMI2x4,Flat", {}, "not implemented for inner prod"),
        ("flat", {"nprobe": 4}, "index type flat: has no --nprobe; leave it out"),
        ("ivf", {"hnsw_m": 4}, "has no --hnsw-m"),
        ("HNSW8", {"nprobe": 4}, "has no --nprobe"),
        ("IVF4,Flat", {"nlist": 4}, "a factory string says --nlist itself"),
    ],
)
def test_what_makes_no_index_is_refused_before_anything_is_encoded(
    name, parameters, message, tiny_encoder, corpus, tmp_path
):
    wanted = dataclasses.replace(options(name), index_parameters=IndexParameters(**parameters))
    counted = []
    with pytest.raises(QgdrError, match=message):
        encode_corpus(corpus, tmp_path / "i", str(tiny_encoder), options=wanted, advance=counted.append)
    assert (counted, list(tmp_path.iterdir())) == ([], [])


def test_too_few_passages_for_a_type_are_told_and_another_is_made_of_the_same_vectors(
    tiny_encoder, corpus, tmp_path
):
    arguments = (corpus, tmp_path / "index", str(tiny_encoder))
    with pytest.raises(QgdrError, match=r"IVF500,Flat: cannot be made of 150 passages \(.*500.*--resume"):
        encode_corpus(*arguments, options=options("IVF500,Flat"))
    said, counted = [], []
    other = dataclasses.replace(options("ivf"), index_parameters=IndexParameters(nlist=3, nprobe=2))
    encode_corpus(*arguments, options=other, resume=True, tell=said.append, advance=counted.append)
    assert "index type ivf (nlist 3, nprobe 2) instead of IVF500,Flat" in said
    assert counted == []
    noted = json.loads((tmp_path / "index" / "qgdr.json").read_text())
    assert (noted["index_type"], noted["index_parameters"]) == ("ivf", {"nlist": 3, "nprobe": 2})
    # A finished index is left alone by a run that asks for the same, or leaves it open.
    open_type = dataclasses.replace(options(), index_type=None)
    assert encode_corpus(*arguments, options=open_type, resume=True).resumed == 150
    with pytest.raises(QgdrError, match=r"begun with index type ivf \(nlist 3, nprobe 2\), not flat"):
        encode_corpus(*arguments, options=options("flat"), resume=True)


def test_shards_are_merged_into_a_factory_string(shards, tmp_path):
    with pytest.raises(QgdrError, match="could not parse"):
        merge_shards(tmp_path / "merged", shards, index_type="nothing")
    merged = merge_shards(
        tmp_path / "merged", shards, index_type="IVF4,SQ8", index_parameters=IndexParameters(nprobe=3)
    )
    assert (merged.index_type, merged.index_parameters) == ("IVF4,SQ8", {"nprobe": 3})
    assert faiss.read_index(str(tmp_path / "merged" / "index")).nprobe == 3


@pytest.mark.parametrize("kind", ["pq", "ivfpq"])
def test_a_code_of_one_passage_is_refused(kind, tmp_path):
    with pytest.raises(QgdrError, match=f"{kind} needs two passages"):
        IndexType(kind).write(vectors(1), tmp_path / "index")


@pytest.mark.parametrize("kind", ["flat", "fp16", "sq8", "pq", "ivf", "ivfpq"])
def test_merged_shards_are_the_undivided_index(kind, shards, tiny_encoder, corpus, tmp_path):
    encode_corpus(corpus, tmp_path / "whole", str(tiny_encoder), options=options(kind))
    # The order in which shards are named does not matter.
    merge_shards(tmp_path / "merged", [shards[2], shards[0], shards[1]], index_type=kind)
    whole, merged = files(tmp_path / "whole"), files(tmp_path / "merged")
    for name in ("docid", "index", "passages.sqlite"):
        assert merged[name] == whole[name]
    one, other = (json.loads(found["qgdr.json"]) for found in (whole, merged))
    assert {key for key in one if one[key] != other[key]} == {"contents"}


def test_passages_are_merged_where_all_shards_have_them(shards, tiny_encoder, corpus, tmp_path):
    merge_shards(tmp_path / "merged", shards, store=False)
    assert "passages.sqlite" not in files(tmp_path / "merged")
    bare = dataclasses.replace(options("sq8", "2/3"), store=False)
    encode_corpus(corpus, tmp_path / "bare", str(tiny_encoder), options=bare)
    some = [shards[0], tmp_path / "bare", shards[2]]
    with pytest.raises(QgdrError, match=r"bare: without the passages that .*; leave them out .* --no-store"):
        merge_shards(tmp_path / "other", some)
    assert not (tmp_path / "other").exists()
    merge_shards(tmp_path / "other", some, store=False)
    assert files(tmp_path / "other") == files(tmp_path / "merged")


def test_a_shard_with_the_passages_of_another_is_refused(shards, tmp_path):
    wrong = shutil.copytree(shards[1], tmp_path / "wrong")
    shutil.copy(shards[0] / "passages.sqlite", wrong)
    with pytest.raises(InputError, match=r"wrong: passages\.sqlite holds other passages than its index"):
        merge_shards(tmp_path / "merged", [shards[0], wrong, shards[2]])
    assert not (tmp_path / "merged").exists()


def test_a_merged_hnsw_index_holds_the_same_vectors(shards, tiny_encoder, corpus, tmp_path):
    encode_corpus(corpus, tmp_path / "whole", str(tiny_encoder), options=options())
    merge_shards(tmp_path / "merged", shards, index_type="hnsw")
    one, other = (faiss.read_index(str(tmp_path / name / "index")) for name in ("whole", "merged"))
    np.testing.assert_array_equal(one.reconstruct_n(0, 150), other.reconstruct_n(0, 150))


def test_the_kind_asked_for_when_encoding_is_made_when_merging(shards, tmp_path):
    assert merge_shards(tmp_path / "merged", shards).index_type == "sq8"
    assert isinstance(faiss.read_index(str(tmp_path / "merged" / "index")), faiss.IndexScalarQuantizer)


def test_more_shards_than_windows_leave_some_empty(tiny_encoder, corpus, tmp_path):
    for number in (1, 2):
        shard = options(shard=f"{number}/2", window=1000)
        encode_corpus(corpus, tmp_path / str(number), str(tiny_encoder), options=shard)
    merged = merge_shards(tmp_path / "merged", [tmp_path / "1", tmp_path / "2"])
    assert merged.passages == 150


def test_shards_that_do_not_fit(shards, tiny_encoder, corpus, tmp_path):
    merged = tmp_path / "merged"
    with pytest.raises(QgdrError, match="shard 2/3 is missing; name all 3 shards"):
        merge_shards(merged, [shards[0], shards[2]])
    with pytest.raises(QgdrError, match="shard 1/3 again"):
        merge_shards(merged, [shards[0], shards[0], shards[1], shards[2]])
    with pytest.raises(InputError, match=r"no qgdr\.json in it"):
        merge_shards(merged, [shards[0], tmp_path])
    for key, value, message in [
        ("fingerprint", "sha256:other", "another fingerprint than"),
        ("precision", "bf16", "another precision than .*: bf16, not fp32"),
        ("corpus_passages", 151, "another corpus than .*: 151, not 150"),
        ("files", [["other.jsonl", 1]], "another corpus than"),
        ("shard", "2/4", "shard 2/4, but"),
    ]:
        other = shutil.copytree(shards[1], tmp_path / f"other-{key}")
        manifest = json.loads((other / "qgdr.json").read_text())
        (other / "qgdr.json").write_text(json.dumps(manifest | {key: value}))
        with pytest.raises(QgdrError, match=message):
            merge_shards(merged, [shards[0], other, shards[2]])
    assert not merged.exists()


def test_a_damaged_shard_is_named(shards, tmp_path):
    short = shutil.copytree(shards[1], tmp_path / "short")
    index = faiss.IndexFlatIP(32)
    index.add(vectors(20))
    faiss.write_index(index, str(short / "index"))
    with pytest.raises(InputError, match="short: holds fewer passages"):
        merge_shards(tmp_path / "merged", [shards[0], short, shards[2]])
    (short / "docid").write_bytes(b"d1\n\xff\n")
    with pytest.raises(InputError, match="short/docid:2: not UTF-8"):
        merge_shards(tmp_path / "merged", [shards[0], short, shards[2]])
    (short / "index").write_bytes(b"IxFI")
    with pytest.raises(InputError, match="short/index: missing or damaged"):
        merge_shards(tmp_path / "merged", [shards[0], short, shards[2]])


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "a/b", "-1/3", "1/0"])
def test_shards_are_numbered_from_one(text):
    with pytest.raises(QgdrError, match="must be I/N"):
        Shard.parse(text)
