"""Pyserini without network and without keys: what works, and what is said of the rest."""

import http.server
import threading
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from urllib.error import HTTPError, URLError

import pyserini.prebuilt_index_info as catalogue
import pytest
from pyserini_process import isolation, python

from qgdr_pyserini.pyserini_plugin import network
from qgdr_pyserini.pyserini_plugin.network import NoNetwork, naming_the_network, noting_failures

NEW_LINE = version("pyserini").startswith("2.")
PREBUILT = "beir-v1.0.0-nfcorpus.contriever"


@pytest.fixture
def topics(tmp_path: Path) -> Path:
    path = tmp_path / "topics.tsv"
    path.write_text("q1\twhich river?\n")
    return path


def test_the_tests_run_without_network(tmp_path: Path) -> None:
    if not isolation():
        pytest.skip("NOT OFFLINE: this machine allows no network namespaces")
    done = python("-c", "import socket; print([name for _, name in socket.if_nameindex()])", cwd=tmp_path)
    assert done.stdout.strip() == "['lo']"


def test_a_prebuilt_index_says_in_one_line_that_it_needs_the_network(topics: Path) -> None:
    options = ["--encoder", "qgdr", "--index", PREBUILT, "--topics", "topics.tsv", "--output", "run.txt"]
    done = python("-m", "pyserini.search.faiss", *options, cwd=topics.parent)
    if not isolation():
        pytest.skip("NOT OFFLINE: this machine allows no network namespaces")
    assert done.returncode == 2
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("Error:")]
    assert error.startswith(
        f"Error: {PREBUILT}: no such file or folder here, and prebuilt indexes of that name"
    )
    assert "the network cannot be reached" in error
    assert "Traceback" not in done.stderr
    assert not (topics.parent / "run.txt").exists()


@pytest.mark.skipif(not NEW_LINE, reason="Pyserini 1.x has its tables of topics in the package")
def test_topics_known_by_name_say_in_one_line_that_they_need_the_network(topics: Path) -> None:
    options = ["--encoder", "qgdr", "--index", "nowhere", "--topics", "topics.tvs", "--output", "run.txt"]
    done = python("-m", "pyserini.search.faiss", *options, cwd=topics.parent)
    assert done.returncode == 2
    assert "Error: topics.tvs: no such file or folder here, and topics of that name have" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> network.Connection:
    connection = network.Connection()
    monkeypatch.setattr(network, "connection", connection)
    return connection


def test_a_failure_of_the_network_is_told_from_an_answer(no_network: network.Connection) -> None:
    def refused(name: str) -> None:
        raise URLError("no route")

    def answered(name: str) -> None:
        raise HTTPError("https://example.org", 404, "Not Found", {}, None)  # type: ignore[arg-type]

    with pytest.raises(HTTPError):
        naming_the_network(noting_failures(answered), "indexes")("some")
    with pytest.raises(NoNetwork, match=r"some: no such .* indexes of that name .* reached \(no route\)"):
        naming_the_network(noting_failures(refused), "indexes")("some")


def test_after_a_while_the_network_is_tried_again(
    no_network: network.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(network.time, "monotonic", lambda: now[0])
    no_network.failed(URLError("no route"))
    assert no_network.failure == "no route"
    now[0] += network.PATIENCE + 1
    assert no_network.failure == ""


@pytest.fixture
def served_catalogue(tmp_path: Path) -> Iterator[str]:
    """The address of a catalogue with one index, on this machine."""
    row = (
        '[{"name": "some-index", "description": "d", "filename": "f", "urls": ["u"], "md5": "m", "size": 1}]'
    )
    (tmp_path / "some.json").write_text(row)

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(tmp_path))  # type: ignore[arg-type, misc]

        def log_message(self, *args: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/some.json"
        server.shutdown()


@pytest.mark.skipif(not NEW_LINE, reason="Pyserini 1.x has its catalogue in the package")
class TestCatalogue:
    def test_with_the_network_it_is_what_it_was(self, served_catalogue: str) -> None:
        table = catalogue._LazyLucenePrebuiltInvertedIndexJson(served_catalogue)
        whole = catalogue._PrebuiltIndexCatalog(table, {"alias": table["some-index"]})
        assert "some-index" in table
        assert "other" not in table
        assert dict(whole) == {"some-index": table["some-index"], "alias": table["some-index"]}
        assert type(table["some-index"]) is dict

    def test_without_it_no_name_is_known_and_reading_says_why(
        self, no_network: network.Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shim = "qgdr_pyserini.pyserini_plugin.shims.load_catalogue_when_asked.connection"
        monkeypatch.setattr(shim, no_network)
        table = catalogue._LazyPrebuiltIndexInfoJson("http://127.0.0.1:9/nothing.json")
        assert "some-index" not in table
        assert no_network.failure
        with pytest.raises(NoNetwork, match="local indexes need none of it"):
            list(table)

    def test_what_was_read_while_importing_can_be_read_later(self, served_catalogue: str) -> None:
        from qgdr_pyserini.pyserini_plugin.shims.load_catalogue_when_asked import Later

        table = catalogue._LazyLucenePrebuiltInvertedIndexJson(served_catalogue)
        entry = catalogue.IMPACT_INDEX_INFO_MSMARCO_ALIASES["msmarco-passage-unicoil-d2q"]
        assert isinstance(entry, Later)
        assert Later(table, "some-index")["md5"] == "m"
        assert catalogue._PrebuiltIndexCatalog({"x": Later(table, "some-index")})["x"] == table["some-index"]
