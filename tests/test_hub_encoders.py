"""An encoder comes through the hub's real client, from a small server that speaks the hub's protocol."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from foreign_encoders import bare_transformer, saved_by_sentence_transformers
from sentence_transformers.models import Normalize

NAME, COMMIT = "some-lab/small", "0" * 40


class Hub(BaseHTTPRequestHandler):
    """Lists and serves the files of one model."""

    files: dict[str, bytes] = {}  # noqa: RUF012
    fetched: list[str] = []  # noqa: RUF012

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def answer(self) -> None:
        path, place = self.path.partition("?")[0], f"/{NAME}/resolve/{COMMIT}/"
        if path == f"/api/models/{NAME}/revision/main":
            siblings = [{"rfilename": file} for file in self.files]
            self.send(json.dumps({"id": NAME, "sha": COMMIT, "siblings": siblings}).encode())
        elif path == f"/api/models/{NAME}/tree/{COMMIT}":
            entries = [
                {"type": "file", "path": file, "size": len(data), "oid": file}
                for file, data in self.files.items()
            ]
            self.send(json.dumps(entries).encode())
        elif path.startswith(place) and path.removeprefix(place) in self.files:
            if self.command == "GET":
                self.fetched.append(path.removeprefix(place))
            self.send(self.files[path.removeprefix(place)])
        else:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def send(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{hashlib.sha1(body).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *arguments) -> None:
        pass


@pytest.fixture
def endpoint(tmp_path: Path, tiny_encoder: Path):
    bare = bare_transformer(tmp_path / "bare", tiny_encoder)
    saved_by_sentence_transformers(tmp_path / "saved", bare, layers=[Normalize()])
    found = (file for file in (tmp_path / "saved").rglob("*") if file.is_file())
    Hub.files = {file.relative_to(tmp_path / "saved").as_posix(): file.read_bytes() for file in found}
    Hub.files |= {"pytorch_model.bin": b"a pickle", "modeling.py": b"code", "onnx/config.json": b"{}"}
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def encode(folder: Path, index: str, encoder: str, **hub: str) -> subprocess.CompletedProcess[str]:
    (folder / "corpus.jsonl").write_text('{"id": "p", "contents": "the danube"}\n')
    options = ["--corpus", "corpus.jsonl", "--index", index, "--encoder", encoder, "--precision", "fp32"]
    return subprocess.run(
        [sys.executable, "-c", "from qgdr_pyserini.cli import main; main()", "encode-corpus", *options],
        env={**os.environ, **hub, "HF_HOME": str(folder / "hf"), "NO_PROXY": "127.0.0.1"},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_encoder_is_fetched_once_and_then_found_without_a_network(tmp_path: Path, endpoint: str) -> None:
    Hub.fetched.clear()
    done = encode(tmp_path, "index", NAME, HF_ENDPOINT=endpoint, HF_HUB_OFFLINE="0")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "index" / "qgdr.json").read_text())["encoder"] == NAME
    assert "model.safetensors" in Hub.fetched
    assert not {"pytorch_model.bin", "modeling.py", "onnx/config.json"} & set(Hub.fetched)
    offline = encode(tmp_path, "again", NAME, HF_HUB_OFFLINE="1")
    assert offline.returncode == 0, offline.stderr
    absent = encode(tmp_path, "other", "some-lab/other", HF_ENDPOINT=endpoint, HF_HUB_OFFLINE="0")
    assert absent.returncode == 2
    assert absent.stderr.splitlines()[-1].startswith("Error: unknown encoder 'some-lab/other'; known names: ")
    assert "Traceback" not in absent.stderr
