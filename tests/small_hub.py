"""A small server that speaks the hub's protocol for models: lists, serves and takes files."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0" * 40
TOKEN = "hf_small"


@dataclass
class SmallHub:
    """Its models, each files by path, and what was fetched."""

    models: dict[str, dict[str, bytes]] = field(default_factory=dict)
    fetched: list[str] = field(default_factory=list)
    large: dict[str, bytes] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    url: str = ""


@contextmanager
def serving(hub: SmallHub) -> Iterator[SmallHub]:
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield hub
    server.shutdown()
    server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: SmallHub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def do_PUT(self) -> None:
        self.hub.large[self.path.rpartition("/")[2]] = self.body()
        self.send(b"")

    def do_POST(self) -> None:
        content, path = self.body(), self.path.partition("?")[0]
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.send(b'{"error": "Invalid username or password."}', 401)
        elif path == "/api/repos/create":
            row = json.loads(content)
            name = f"{row['organization']}/{row['name']}"
            self.hub.models.setdefault(name, {})
            self.send_json({"url": f"{self.hub.url}/{name}"})
        elif path == "/api/validate-yaml":
            self.send_json({"errors": [], "warnings": []})
        elif "/preupload/" in path:
            files = [file["path"] for file in json.loads(content)["files"]]
            self.send_json({"files": [
                {"path": file, "uploadMode": "lfs" if file.endswith(".safetensors") else "regular",
                 "shouldIgnore": False} for file in files
            ]})  # fmt: skip
        elif path.endswith("/info/lfs/objects/batch"):
            objects = json.loads(content)["objects"]
            for item in objects:
                item["actions"] = {"upload": {"href": f"{self.hub.url}/large/{item['oid']}"}}
            self.send_json({"transfer": "basic", "objects": objects})
        else:
            name = path.removeprefix("/api/models/").partition("/commit/")[0]
            self.commit(name, [json.loads(line) for line in content.splitlines()])

    def commit(self, name: str, rows: list[dict]) -> None:
        for row in rows:
            value = row["value"]
            if row["key"] == "header":
                self.hub.messages.append(value["summary"])
            elif row["key"] == "file":
                self.hub.models[name][value["path"]] = base64.b64decode(value["content"])
            else:
                self.hub.models[name][value["path"]] = self.hub.large[value["oid"]]
        url = f"{self.hub.url}/{name}/commit/{COMMIT}"
        self.send_json({"success": True, "commitOid": COMMIT, "commitUrl": url, "hookOutput": ""})

    def answer(self) -> None:
        path = self.path.partition("?")[0]
        for name, files in self.hub.models.items():
            if path == f"/api/models/{name}/revision/main":
                siblings = [{"rfilename": file} for file in files]
                return self.send_json({"id": name, "sha": COMMIT, "siblings": siblings})
            if path == f"/api/models/{name}/tree/{COMMIT}":
                return self.send_json([
                    {"type": "file", "path": file, "size": len(data), "oid": file}
                    for file, data in files.items()
                ])  # fmt: skip
            file = path.removeprefix(f"/{name}/resolve/{COMMIT}/")
            if file in files:
                if self.command == "GET":
                    self.hub.fetched.append(file)
                return self.send(files[file])
        self.send_response(404)
        self.send_header("X-Error-Code", "RepoNotFound")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def body(self) -> bytes:
        if "Content-Length" in self.headers:
            return self.rfile.read(int(self.headers["Content-Length"]))
        content = b""
        while size := int(self.rfile.readline(), 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return content

    def send_json(self, value: object) -> None:
        self.send(json.dumps(value).encode())

    def send(self, body: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{hashlib.sha1(body).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *arguments) -> None:
        pass
