"""An index of the sample collection, made as a user makes it."""

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from qgdr_pyserini.collection.loaders.base import BuildRequest
from qgdr_pyserini.collection.loaders.sample import build_sample
from qgdr_pyserini.encode.encode_corpus import encode_corpus
from qgdr_pyserini.encode.options import EncodingOptions

QGDR = [sys.executable, "-c", "from qgdr_pyserini.cli import main; main()"]
FLAT = EncodingOptions(device="cpu", precision="fp32")


def sample(folder: Path) -> Path:
    """Build the collection ``c`` and the index ``sample.qgdr``."""
    build_sample(BuildRequest(output=folder / "c"))
    encode_corpus(folder / "c" / "corpus.jsonl", folder / "sample.qgdr", options=FLAT)
    return folder


def qgdr(*arguments, stdin=""):
    """Run a command of ours."""
    command = [*QGDR, *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)


class Server:
    """``qgdr serve`` in a process of its own; use it as a context manager."""

    def __init__(self, *arguments):
        self._command = [*QGDR, "serve", "--port", "0", *map(str, arguments)]

    def __enter__(self):
        self.process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        line = self.process.stdout.readline()
        if " at http://" not in line:
            raise AssertionError(self.process.stderr.read())
        self.url = line.split(" at ")[1].split("/ until")[0]
        return self

    def __exit__(self, *error):
        self.end()

    def end(self, number=signal.SIGTERM):
        """Tell it to end; give its exit code and what it said."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        said = self.process.communicate(timeout=60)
        return self.process.returncode, "".join(said)

    def request(self, path, body=None, headers=None, method=None, **parameters):
        """Ask; give the status, the headers and the JSON or text of the answer."""
        address = f"{self.url}{path}" + (f"?{urllib.parse.urlencode(parameters)}" if parameters else "")
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        kind = {"content-type": "application/json"} if data is not None else {}
        asked = urllib.request.Request(address, data, kind | (headers or {}), method=method)
        try:
            with urllib.request.urlopen(asked, timeout=120) as answer:
                return answer.status, answer.headers, _content(answer)
        except urllib.error.HTTPError as error:
            return error.code, error.headers, _content(error)

    def get(self, path, **parameters):
        """Ask for JSON that is there."""
        status, _, content = self.request(path, **parameters)
        assert status == 200, content
        return content


def _content(answer):
    text = answer.read().decode()
    return json.loads(text) if "json" in answer.headers.get("content-type", "") else text
