"""Indexes of segments: the same bytes whatever stops a run, in shards too, and what is cut without them."""

import dataclasses
import json
import random
import time

import pytest
from click.testing import CliRunner
from encoding_process import encode, finish, start
from test_encode_corpus import files

from qgdr_pyserini.cli import main
from qgdr_pyserini.collection.corpus import Passage, read_corpus, write_corpus
from qgdr_pyserini.collection.passage_store import PassageStore
from qgdr_pyserini.encode.encode_corpus import encode_corpus
from qgdr_pyserini.encode.journal import WindowRecord
from qgdr_pyserini.encode.manifest import IndexManifest
from qgdr_pyserini.encode.merge import merge_shards
from qgdr_pyserini.encode.options import EncodingOptions, Shard
from qgdr_pyserini.encode.split import Split
from qgdr_pyserini.encode.truncation import Truncation, total
from qgdr_pyserini.errors import InputError, QgdrError
from qgdr_pyserini.pyserini_plugin import doctor

SENTENCES = ["the danube rises in the black forest. ", "it passes vienna. ", "where does it end? ", "国人。"]
OPTIONS = EncodingOptions(device="cpu", batch_tokens=400, window=16, precision="fp32", split=Split(48, 24))


def document(number):
    text = "".join(SENTENCES[(number * 5 + i * i) % 4] for i in range(1 + number * 7 % 9))
    return Passage(f"d{number}", "danube" if number % 3 else "", text)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "corpus.jsonl"
    write_corpus(path, map(document, range(60)))
    return path


@pytest.fixture(scope="module")
def whole(tiny_encoder, corpus, tmp_path_factory):
    """The index that no one interrupted."""
    index = tmp_path_factory.mktemp("whole") / "tiny"
    finish(corpus, index, tiny_encoder, OPTIONS)
    return index


def refused(*arguments):
    result = CliRunner().invoke(main, ["encode-corpus", *map(str, arguments)])
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    return result.stderr


def test_every_document_is_there_in_segments_with_its_title(whole, corpus):
    manifest = IndexManifest.read(whole)
    assert manifest.split == {"tokens": 48, "stride": 24}
    assert manifest.truncation == Truncation(0, 0, manifest.truncation.tokens)
    segments = list(PassageStore(whole / "passages.sqlite"))
    assert [item.docid for item in segments] == (whole / "docid").read_text().splitlines()
    assert len(segments) == manifest.passages == manifest.corpus_passages > 100
    for item in read_corpus(corpus):
        own = [segment for segment in segments if segment.docid.split("#")[0] == item.docid]
        assert [segment.docid for segment in own] == [f"{item.docid}#{n}" for n in range(len(own))]
        assert {segment.title for segment in own} == {item.title}
        assert {word for segment in own for word in segment.text.split()} == {*item.text.split()}


def test_killed_and_resumed_gives_the_same_bytes(tiny_encoder, corpus, whole, tmp_path):
    began = time.monotonic()
    finish(corpus, tmp_path / "timed", tiny_encoder, OPTIONS)
    seconds, moments = time.monotonic() - began, random.Random(3)
    for trial in range(2):
        process = start(corpus, tmp_path / f"trial{trial}", tiny_encoder, OPTIONS)
        time.sleep(moments.uniform(seconds / 2, seconds))
        process.kill()  # SIGKILL
        process.join()
        finish(corpus, tmp_path / f"trial{trial}", tiny_encoder, OPTIONS)
        assert files(tmp_path / f"trial{trial}") == files(whole)


def test_stopped_at_a_bad_line_mended_and_resumed_gives_the_same_bytes(tiny_encoder, corpus, whole, tmp_path):
    copy, lines = tmp_path / "corpus.jsonl", corpus.read_text().splitlines(keepends=True)
    copy.write_text("".join([*lines[:40], '{"id": "d#3", "text": "x"}\n', *lines[40:]]))
    with pytest.raises(InputError, match=r"corpus\.jsonl:41: id 'd#3' holds '#'"):
        encode(copy, tmp_path / "index", tiny_encoder, OPTIONS)
    copy.write_text("".join(lines))
    done = encode_corpus(copy, tmp_path / "index", str(tiny_encoder), options=OPTIONS, resume=True)
    assert done.resumed > 0
    assert files(tmp_path / "index") == files(whole)


def test_shards_join_into_the_undivided_index(tiny_encoder, corpus, whole, tmp_path):
    for number in (1, 2):
        options = dataclasses.replace(OPTIONS, shard=Shard(number, 2))
        encode_corpus(corpus, tmp_path / str(number), str(tiny_encoder), options=options)
    merged = merge_shards(tmp_path / "merged", [tmp_path / "2", tmp_path / "1"])
    for name in ("docid", "index", "passages.sqlite"):
        assert (tmp_path / "merged" / name).read_bytes() == (whole / name).read_bytes()
    undivided = IndexManifest.read(whole)
    assert (merged.split, merged.truncated) == (undivided.split, undivided.truncated)
    other = dataclasses.replace(OPTIONS, shard=Shard(2, 2), split=Split(32, 32))
    encode_corpus(corpus, tmp_path / "other", str(tiny_encoder), options=other)
    with pytest.raises(QgdrError, match="another split than"):
        merge_shards(tmp_path / "none", [tmp_path / "1", tmp_path / "other"])


def test_a_store_is_added_afterwards(tiny_encoder, corpus, whole, tmp_path):
    bare = dataclasses.replace(OPTIONS, store=False)
    encode_corpus(corpus, tmp_path / "index", str(tiny_encoder), options=bare)
    encode(corpus, tmp_path / "index", tiny_encoder, OPTIONS)
    assert files(tmp_path / "index") == files(whole)


def test_another_split_is_neither_resumed_nor_taken_for_what_stands_there(tiny_encoder, corpus, whole):
    for split, message in [
        (None, "begun with --split 48 --stride 24, not without --split"),
        (Split(48, 48), "begun with --split 48 --stride 24, not with --split 48 --stride 48"),
    ]:
        other = dataclasses.replace(OPTIONS, split=split)
        with pytest.raises(QgdrError, match=message):
            encode_corpus(corpus, whole, str(tiny_encoder), options=other, resume=True)


def test_mistakes_are_one_line(tiny_encoder, corpus, tmp_path):
    common = [
        "--corpus",
        corpus,
        "--index",
        tmp_path / "index",
        "--encoder",
        tiny_encoder,
        "--precision",
        "fp32",
    ]
    assert "--stride 8 goes with --split TOKENS" in refused(*common, "--stride", 8)
    assert "--stride 40 is more than --split 32" in refused(*common, "--split", 32, "--stride", 40)
    assert "--split 65 is more than the 64 tokens" in refused(*common, "--split", 65)
    (tmp_path / "c.jsonl").write_text('{"id": "a#0", "text": "x"}\n')
    common[1] = tmp_path / "c.jsonl"
    assert "c.jsonl:1: id 'a#0' holds '#'" in refused(*common, "--split", 32)
    assert [path.name for path in tmp_path.iterdir()] == ["c.jsonl"]


def test_without_segments_what_is_cut_is_counted_and_told(tiny_encoder, tmp_path):
    write_corpus(tmp_path / "c.jsonl", [Passage("a", "", "a" * 160), Passage("b", "", "b" * 36)])
    arguments = ["--corpus", tmp_path / "c.jsonl", "--index", tmp_path / "i", "--encoder", tiny_encoder]
    done = CliRunner().invoke(main, ["encode-corpus", *map(str, arguments), "--device", "cpu"])
    assert done.exit_code == 0, done.stderr
    told = "1 of 2 texts cut at 64 tokens, 49.0 % of all tokens lost"
    assert done.stderr.splitlines()[-1] == f"{told}; --split makes segments of long documents"
    assert IndexManifest.read(tmp_path / "i").truncation == Truncation(1, 98, 200)
    assert doctor.check_index(str(tmp_path / "i"), str(tiny_encoder)).endswith(f"; {told}")


def test_doctor_tells_how_documents_were_split(tiny_encoder, whole):
    found = doctor.check_index(str(whole), str(tiny_encoder))
    assert "; segments of documents, by --split 48 --stride 24; none of " in found


def test_manifests_and_journals_of_before_stay_readable(tiny_encoder, corpus, whole, tmp_path):
    old = json.loads((whole / "qgdr.json").read_text())
    del old["split"], old["truncated"]
    (tmp_path / "qgdr.json").write_text(json.dumps(old))
    manifest = IndexManifest.read(tmp_path)
    assert (manifest.splitting, manifest.truncation) == (None, None)
    before = WindowRecord(1, "c", vectors=0, ids=0, ids_bytes=2, batch_tokens=10)
    assert total([before.truncation, Truncation(1, 2, 3)]) is None
