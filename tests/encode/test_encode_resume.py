"""Whatever stops a run, going on gives the same bytes: real processes, real SIGKILLs, real full disks."""

import dataclasses
import json
import os
import random
import shutil
import subprocess
import sys
import time

import pytest
from encoding_process import encode, finish, start
from test_encode_corpus import files, passage

from qgdr_pyserini.collection.corpus import Passage, write_corpus
from qgdr_pyserini.encode.encode_corpus import encode_corpus
from qgdr_pyserini.encode.journal import Journal
from qgdr_pyserini.encode.options import EncodingOptions
from qgdr_pyserini.errors import InputError, QgdrError
from qgdr_pyserini.lock import only_writer
from qgdr_pyserini.model.dual_encoder import DualEncoder

KILLS = int(os.environ.get("QGDR_KILLS", "3"))
OPTIONS = EncodingOptions(device="cpu", batch_tokens=400, window=16, precision="fp32")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "corpus.jsonl"
    write_corpus(path, map(passage, range(500)))
    return path


@pytest.fixture(scope="module")
def whole(tiny_encoder, corpus, tmp_path_factory):
    """The index that no one interrupted."""
    index = tmp_path_factory.mktemp("whole") / "tiny"
    finish(corpus, index, tiny_encoder, OPTIONS)
    return index


def interrupted(corpus, index, encoder, monkeypatch, windows=4):
    """Leave the work of a few windows, as a run that is stopped from within does."""

    def stop(self, tokens, advance, encode=None):
        counter.append(1)
        if len(counter) > windows:
            raise KeyboardInterrupt
        return original(self, tokens, advance)

    from qgdr_pyserini.model.inference.batching import BatchEncoder

    counter, original = [], BatchEncoder.encode
    with monkeypatch.context() as patch:
        patch.setattr(BatchEncoder, "encode", stop)
        with pytest.raises(KeyboardInterrupt):
            encode_corpus(corpus, index, str(encoder), options=OPTIONS)
    return index.with_name(f"{index.name}.partial")


def test_killed_at_random_moments_and_resumed_gives_the_same_bytes(tiny_encoder, corpus, whole, tmp_path):
    began = time.monotonic()
    finish(corpus, tmp_path / "timed", tiny_encoder, OPTIONS)
    seconds, partly = time.monotonic() - began, 0
    moments = random.Random(5)
    for trial in range(KILLS):
        index = tmp_path / f"trial{trial}"
        process = start(corpus, index, tiny_encoder, OPTIONS)
        time.sleep(moments.uniform(0, seconds))
        process.kill()  # SIGKILL; nothing if it has ended
        process.join()
        partly += index.with_name(f"{index.name}.partial").exists()
        finish(corpus, index, tiny_encoder, OPTIONS)
        assert files(index) == files(whole), f"trial {trial}"
        assert not index.with_name(f"{index.name}.partial").exists()
    assert partly or KILLS < 10  # else none was killed at work


@pytest.mark.parametrize("name", ["vectors.f32", "docid", "texts.jsonl", "journal.jsonl"])
def test_a_torn_write_is_cut_off(name, tiny_encoder, corpus, whole, tmp_path, monkeypatch):
    partial = interrupted(corpus, tmp_path / "index", tiny_encoder, monkeypatch)
    with (partial / name).open("ab") as file:
        file.write(b'{"passages": 16, "conte')
    encode(corpus, tmp_path / "index", tiny_encoder, OPTIONS)
    assert files(tmp_path / "index") == files(whole)


@pytest.mark.parametrize("name", ["vectors.f32", "docid", "texts.jsonl"])
def test_a_damaged_segment_is_named_and_nothing_is_lost(name, tiny_encoder, corpus, tmp_path, monkeypatch):
    partial = interrupted(corpus, tmp_path / "index", tiny_encoder, monkeypatch)
    good = files(partial)
    spoilt = bytearray(good[name])
    spoilt[len(spoilt) * 3 // 8] ^= 1
    (partial / name).write_bytes(spoilt)
    with pytest.raises(InputError, match=rf"{name}: damaged in passages 17 to 32; restore the file"):
        encode(corpus, tmp_path / "index", tiny_encoder, OPTIONS)
    (partial / name).write_bytes(good[name][:-40])
    with pytest.raises(InputError, match="damaged in passages 49 to 64"):
        encode(corpus, tmp_path / "index", tiny_encoder, OPTIONS)
    (partial / name).write_bytes(good[name])
    assert Journal.resume(partial).count == 64


def test_a_journal_damaged_in_its_middle_is_refused(tiny_encoder, corpus, tmp_path, monkeypatch):
    partial = interrupted(corpus, tmp_path / "index", tiny_encoder, monkeypatch)
    journal = partial / "journal.jsonl"
    journal.write_text(journal.read_text().replace('"contents"', '"conXents"', 1))
    with pytest.raises(InputError, match=r"journal\.jsonl: damaged"):
        encode(corpus, tmp_path / "index", tiny_encoder, OPTIONS)


def test_what_was_encoded_is_not_encoded_again(tiny_encoder, corpus, tmp_path, monkeypatch):
    interrupted(corpus, tmp_path / "index", tiny_encoder, monkeypatch)
    seen = []
    done = encode_corpus(
        corpus, tmp_path / "index", str(tiny_encoder), options=OPTIONS, resume=True, advance=seen.append
    )
    assert (done.resumed, done.passages, sum(seen)) == (64, 500, 436)


def test_unfinished_work_is_neither_forgotten_nor_taken_up_unasked(
    tiny_encoder, corpus, whole, tmp_path, monkeypatch
):
    interrupted(corpus, tmp_path / "index", tiny_encoder, monkeypatch)
    with pytest.raises(QgdrError, match=r"index\.partial: holds unfinished work; go on with --resume"):
        encode_corpus(corpus, tmp_path / "index", str(tiny_encoder), options=OPTIONS)
    done = encode_corpus(corpus, tmp_path / "index", str(tiny_encoder), options=OPTIONS, overwrite=True)
    assert done.resumed == 0
    assert files(tmp_path / "index")["index"] == files(whole)["index"]


def test_resuming_a_finished_index_changes_nothing(tiny_encoder, corpus, whole):
    before = files(whole)
    done = encode_corpus(corpus, whole, str(tiny_encoder), options=OPTIONS, resume=True)
    assert done.resumed == done.passages == 500
    assert files(whole) == before
    with pytest.raises(QgdrError, match="begun with max length 64, not 32"):
        encode_corpus(corpus, whole, str(tiny_encoder), options=EncodingOptions("cpu", 32), resume=True)


def test_resuming_an_index_without_its_passages_adds_them_and_encodes_nothing(
    tiny_encoder, corpus, whole, tmp_path, monkeypatch
):
    bare = dataclasses.replace(OPTIONS, store=False)
    encode_corpus(corpus, tmp_path / "index", str(tiny_encoder), options=bare)
    assert "passages.sqlite" not in files(tmp_path / "index")
    monkeypatch.setattr(DualEncoder, "encode_tokens", lambda *args: pytest.fail("encoded again"))
    done = encode_corpus(corpus, tmp_path / "index", str(tiny_encoder), options=OPTIONS, resume=True)
    assert done.resumed == done.passages == 500
    assert files(tmp_path / "index") == files(whole)
    with pytest.raises(QgdrError, match="begun with the passages themselves; go on without --no-store"):
        encode_corpus(corpus, tmp_path / "index", str(tiny_encoder), options=bare, resume=True)


def test_a_store_is_neither_begun_nor_dropped_midway(tiny_encoder, corpus, tmp_path, monkeypatch):
    partial = interrupted(corpus, tmp_path / "index", tiny_encoder, monkeypatch)
    before = files(partial)
    bare = dataclasses.replace(OPTIONS, store=False)
    with pytest.raises(QgdrError, match="begun with the passages themselves; go on without --no-store"):
        encode_corpus(corpus, tmp_path / "index", str(tiny_encoder), options=bare, resume=True)
    assert files(partial) == before


def test_work_that_an_older_version_began_goes_on_without_a_store(
    tiny_encoder, corpus, whole, tmp_path, monkeypatch
):
    partial = interrupted(corpus, tmp_path / "index", tiny_encoder, monkeypatch)
    (partial / "texts.jsonl").unlink()
    job, *segments = map(json.loads, (partial / "journal.jsonl").read_text().splitlines())
    del job["store"]
    for segment in segments:
        del segment["texts"], segment["texts_bytes"]
    (partial / "journal.jsonl").write_text("".join(json.dumps(line) + "\n" for line in (job, *segments)))
    with pytest.raises(QgdrError, match="begun without the passages themselves; go on with --no-store"):
        encode(corpus, tmp_path / "index", tiny_encoder, OPTIONS)
    bare = dataclasses.replace(OPTIONS, store=False)
    done = encode_corpus(corpus, tmp_path / "index", str(tiny_encoder), options=bare, resume=True)
    assert done.resumed == 64
    assert files(tmp_path / "index")["index"] == files(whole)["index"]


def test_killed_between_the_last_rename_and_the_clearing_up(
    tiny_encoder, corpus, whole, tmp_path, monkeypatch
):
    index = tmp_path / "index"
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "remove", lambda self: None)
        encode_corpus(corpus, index, str(tiny_encoder), options=OPTIONS)
    assert (tmp_path / "index.partial").exists()
    encode(corpus, index, tiny_encoder, OPTIONS)
    assert files(index) == files(whole)
    assert not (tmp_path / "index.partial").exists()


@pytest.mark.parametrize("deletions", [0, 1, 3])
def test_killed_while_clearing_up(tiny_encoder, corpus, whole, tmp_path, monkeypatch, deletions):
    index, partial = tmp_path / "index", tmp_path / "index.partial"

    def killed(folder):
        if folder.exists():
            for path in sorted(folder.iterdir())[:deletions]:
                path.unlink()
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "sweep", staticmethod(killed))
        with pytest.raises(KeyboardInterrupt):
            encode_corpus(corpus, index, str(tiny_encoder), options=OPTIONS)
    assert partial.exists()
    encode(corpus, index, tiny_encoder, OPTIONS)
    assert files(index) == files(whole)
    assert not partial.exists()


def test_another_encoder_or_option_is_refused(tiny_encoder, corpus, tmp_path, monkeypatch):
    partial = interrupted(corpus, tmp_path / "index", tiny_encoder, monkeypatch)
    before = files(partial)
    other = shutil.copytree(tiny_encoder, tmp_path / "tiny-qgdr")
    model = DualEncoder.from_pretrained(other)
    model.model.embeddings.word_embeddings.weight.data[5] += 1
    model.save_pretrained(other)
    for encoder, options, message in [
        (other, OPTIONS, "begun with fingerprint sha256:"),
        (tiny_encoder, EncodingOptions("cpu", 32, 400, 16), "begun with max length 64, not 32"),
        (tiny_encoder, EncodingOptions("cpu", None, 400, 32), "begun with window 16, not 32"),
        (tiny_encoder, EncodingOptions("cpu", None, 400, 16, precision="bf16"), "precision fp32, not bf16"),
        (tiny_encoder, EncodingOptions("cpu", None, 500, 16), "begun with batch tokens 400, not 500"),
    ]:
        with pytest.raises(QgdrError, match=message):
            encode_corpus(corpus, tmp_path / "index", str(encoder), options=options, resume=True)
    assert files(partial) == before


def test_a_changed_corpus_is_refused(tiny_encoder, corpus, tmp_path, monkeypatch):
    copy = tmp_path / "corpus.jsonl"
    shutil.copy(corpus, copy)
    partial = interrupted(copy, tmp_path / "index", tiny_encoder, monkeypatch)
    before = files(partial)
    text = copy.read_text()
    copy.write_text(text.replace('"Danube"', '"Donaau"', 1))
    with pytest.raises(QgdrError, match="the corpus changed: passages 1 to 16 differ"):
        encode(copy, tmp_path / "index", tiny_encoder, OPTIONS)
    copy.write_text(text + '{"id": "more", "text": "more"}\n')
    with pytest.raises(QgdrError, match="the corpus changed: its files have other names or sizes"):
        encode(copy, tmp_path / "index", tiny_encoder, OPTIONS)
    assert files(partial) == before


def test_a_bad_line_is_mended_and_the_work_goes_on(tiny_encoder, corpus, whole, tmp_path):
    copy, lines = tmp_path / "corpus.jsonl", corpus.read_text().splitlines(keepends=True)
    copy.write_text("".join([*lines[:300], '{"id": \n', *lines[300:]]))
    with pytest.raises(InputError, match=r"corpus\.jsonl:301: malformed JSON"):
        encode(copy, tmp_path / "index", tiny_encoder, OPTIONS)
    copy.write_text("".join(lines))
    done = encode_corpus(copy, tmp_path / "index", str(tiny_encoder), options=OPTIONS, resume=True)
    assert done.resumed == 288
    assert files(tmp_path / "index") == files(whole)


def test_two_writers_at_once(tiny_encoder, corpus, tmp_path):
    with (
        only_writer(tmp_path / "index"),
        pytest.raises(QgdrError, match=r"index: another process is writing it \(process \d+ on .+\); wait"),
    ):
        encode(corpus, tmp_path / "index", tiny_encoder, OPTIONS)
    assert not (tmp_path / "index.partial").exists()
    with only_writer(tmp_path / "index"):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_is_one_line_and_loses_nothing(tiny_encoder, corpus, whole, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48k", "none", str(disk)], check=False)
    if mounted.returncode:
        pytest.skip("no right to mount")
    try:
        command = [sys.executable, "-c", "from qgdr_pyserini.cli import main; main()", "encode-corpus"]
        places = ["--corpus", str(corpus), "--index", str(disk / "index"), "--encoder", str(tiny_encoder)]
        full = subprocess.run([*command, *places, "--resume"], capture_output=True, text=True, check=False)
        assert full.returncode == 2
        error = full.stderr.splitlines()[-1]
        assert error.startswith("Error: ")
        assert "No space left on device; make room, then go on with --resume" in error
        assert "Traceback" not in full.stderr
        subprocess.run(["mount", "-o", "remount,size=10m", str(disk)], check=True)
        again = subprocess.run([*command, *places, "--resume"], capture_output=True, text=True, check=False)
        assert again.returncode == 0, again.stderr
        assert json.loads((disk / "index" / "qgdr.json").read_text())["passages"] == 500
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_passages_without_text_of_their_own_are_kept_apart(tiny_encoder, tmp_path):
    write_corpus(tmp_path / "c.jsonl", [Passage("a", "x", ""), Passage("b", "", "")])
    encode_corpus(tmp_path / "c.jsonl", tmp_path / "index", str(tiny_encoder), options=OPTIONS)
    assert (tmp_path / "index" / "docid").read_text() == "a\nb\n"
