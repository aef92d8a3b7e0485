"""An encoder comes through the hub's real client, from a small server that speaks the hub's protocol."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from foreign_encoders import bare_transformer, saved_by_sentence_transformers
from sentence_transformers.models import Normalize
from small_hub import COMMIT, TOKEN, SmallHub, serving

NAME = "some-lab/small"


@pytest.fixture
def hub(tmp_path: Path, tiny_encoder: Path):
    bare = bare_transformer(tmp_path / "bare", tiny_encoder)
    saved_by_sentence_transformers(tmp_path / "saved", bare, layers=[Normalize()])
    found = (file for file in (tmp_path / "saved").rglob("*") if file.is_file())
    files = {file.relative_to(tmp_path / "saved").as_posix(): file.read_bytes() for file in found}
    files |= {"pytorch_model.bin": b"a pickle", "modeling.py": b"code", "onnx/config.json": b"{}"}
    with serving(SmallHub({NAME: files})) as hub:
        yield hub


def encode(folder: Path, index: str, encoder: str, **hub: str) -> subprocess.CompletedProcess[str]:
    (folder / "corpus.jsonl").write_text('{"id": "p", "contents": "the danube"}\n')
    options = ["--corpus", "corpus.jsonl", "--index", index, "--encoder", encoder, "--precision", "fp32"]
    command = ["-c", "from qgdr_pyserini.cli import main; main()", "encode-corpus", *options]
    return python(folder, *command, **hub)


def python(folder: Path, *arguments: str, **hub: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, **hub, "HF_HOME": str(folder / "hf"), "NO_PROXY": "127.0.0.1"},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_encoder_is_fetched_once_and_then_found_without_a_network(tmp_path: Path, hub: SmallHub) -> None:
    done = encode(tmp_path, "index", NAME, HF_ENDPOINT=hub.url, HF_HUB_OFFLINE="0")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "index" / "qgdr.json").read_text())["encoder"] == NAME
    assert "model.safetensors" in hub.fetched
    assert not {"pytorch_model.bin", "modeling.py", "onnx/config.json"} & set(hub.fetched)
    offline = encode(tmp_path, "again", NAME, HF_HUB_OFFLINE="1")
    assert offline.returncode == 0, offline.stderr
    absent = encode(tmp_path, "other", "some-lab/other", HF_ENDPOINT=hub.url, HF_HUB_OFFLINE="0")
    assert absent.returncode == 2
    assert absent.stderr.splitlines()[-1].startswith("Error: unknown encoder 'some-lab/other'; known names: ")
    assert "Traceback" not in absent.stderr


PUSH = """
import sys
from qgdr_pyserini import DualEncoder
encoder = DualEncoder.from_pretrained(sys.argv[1])
print(encoder.push_to_hub("some-lab/new", token=sys.argv[2], commit_message="First weights"))
print(DualEncoder.from_pretrained("some-lab/new").fingerprint == encoder.fingerprint)
"""


def test_an_encoder_is_uploaded_with_its_card_and_loads_by_its_new_name(
    tmp_path: Path, tiny_encoder: Path, hub: SmallHub
) -> None:
    own = tmp_path / "own-qgdr"
    shutil.copytree(tiny_encoder, own)
    (own / "README.md").write_text("---\nlicense: mit\n---\nA card.\n")
    server = {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}
    done = python(tmp_path, "-c", PUSH, str(own), TOKEN, **server)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"{hub.url}/some-lab/new/commit/{COMMIT}", "True"]
    assert hub.messages == ["First weights"]
    assert {"README.md", "qgdr_config.json", "modules.json", "model.safetensors"} <= set(
        hub.models["some-lab/new"]
    )
    assert list(hub.large.values()) == [(own / "model.safetensors").read_bytes()]


def test_an_upload_that_is_refused_is_one_error(tmp_path: Path, tiny_encoder: Path, hub: SmallHub) -> None:
    server = {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}
    done = python(tmp_path, "-c", PUSH, str(tiny_encoder), "hf_wrong", **server)
    last = done.stderr.splitlines()[-1]
    assert last.startswith(
        "qgdr_pyserini.errors.QgdrError: some-lab/new: not uploaded to the Hugging Face hub"
    )
    assert "401" in last
    assert "some-lab/new" not in hub.models
