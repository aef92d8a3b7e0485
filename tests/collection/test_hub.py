"""Files come through the hub's real client, from a small server that speaks the hub's protocol."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from qgdr_pyserini.collection.collection import Collection
from qgdr_pyserini.collection.topics import read_topics

PASSAGE = {"docid": "1#0", "title": "Mji", "text": "Maandishi."}
FILES = {
    ("miracl/miracl", "main"): {
        "README.md": "not asked for",
        "miracl-v1.0-sw/topics/topics.miracl-v1.0-sw-dev.tsv": "5\tNani?\n",
        "miracl-v1.0-sw/qrels/qrels.miracl-v1.0-sw-dev.tsv": "5\tQ0\t1#0\t1\n",
        "miracl-v1.0-ar/topics/topics.miracl-v1.0-ar-dev.tsv": "not asked for",
    },
    ("miracl/miracl-corpus", "main"): {"README.md": "a script"},
    ("miracl/miracl-corpus", "refs/convert/parquet"): {
        "miracl-corpus-v1.0-sw/docs-0.jsonl": json.dumps(PASSAGE) + "\n"
    },
}


class Hub(BaseHTTPRequestHandler):
    """Lists and serves `FILES`; remembers what was fetched."""

    fetched: ClassVar[list[str]] = []

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def answer(self) -> None:
        path = self.path.partition("?")[0].replace("%2F", "/")
        for (name, revision), files in FILES.items():
            if path == f"/api/datasets/{name}/revision/{revision}":
                siblings = [{"rfilename": file} for file in files]
                commit = commit_of(revision)
                return self.send(json.dumps({"id": name, "sha": commit, "siblings": siblings}), commit)
            if path == f"/api/datasets/{name}/tree/{commit_of(revision)}":
                tree = [
                    {"type": "file", "path": file, "size": len(text), "oid": file}
                    for file, text in files.items()
                ]
                return self.send(json.dumps(tree), commit_of(revision))
            prefix = f"/datasets/{name}/resolve/{commit_of(revision)}/"
            if path.startswith(prefix) and path.removeprefix(prefix) in files:
                if self.command == "GET":
                    self.fetched.append(path.removeprefix(prefix))
                return self.send(files[path.removeprefix(prefix)], commit_of(revision))
        unknown = "revision" in path and path.split("/revision/")[0] in {
            f"/api/datasets/{n}" for n, _ in FILES
        }
        self.send_response(404)
        self.send_header("X-Error-Code", "RevisionNotFound" if unknown else "RepoNotFound")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def send(self, text: str, commit: str) -> None:
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{hashlib.sha1(body).hexdigest()}"')
        self.send_header("X-Repo-Commit", commit)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *arguments) -> None:
        pass


def commit_of(revision: str) -> str:
    return hashlib.sha1(revision.encode()).hexdigest()


@pytest.fixture
def endpoint():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def build(tmp_path: Path, endpoint: str, language: str) -> subprocess.CompletedProcess[str]:
    output = tmp_path / language
    command = ["collection", "build", "miracl", "--language", language, "--source", "hub", "--output", output]
    hub = {"HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "0"}
    return subprocess.run(
        [sys.executable, "-c", "from qgdr_pyserini.cli import main; main()", *map(str, command)],
        env={**os.environ, **hub, "NO_PROXY": "127.0.0.1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_collection_is_built_from_the_hub(tmp_path: Path, endpoint: str) -> None:
    Hub.fetched.clear()
    done = build(tmp_path, endpoint, "sw")
    assert done.returncode == 0, done.stderr
    built = Collection.open(tmp_path / "sw")
    assert read_topics(built.topics["sw"]) == {"miracl-sw-5": "Nani?"}
    assert built.manifest["counts"] == {"passages": 1, "questions": {"sw": 1}, "qrels": 1, "answers": 0}
    assert sorted(Hub.fetched) == [
        "miracl-corpus-v1.0-sw/docs-0.jsonl",
        "miracl-v1.0-sw/qrels/qrels.miracl-v1.0-sw-dev.tsv",
        "miracl-v1.0-sw/topics/topics.miracl-v1.0-sw-dev.tsv",
    ]
    done = build(tmp_path, endpoint, "th")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "Error: miracl/miracl: the hub has no miracl-v1.0-th/*/*.miracl-v1.0-th-dev.tsv; "
        "give --source DIR with the files"
    )
