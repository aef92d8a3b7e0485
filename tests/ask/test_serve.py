"""``qgdr serve`` as a real process: what it answers, what it refuses, and how it ends."""

import asyncio
import http.client
import json
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import numpy as np
import pytest
from asked import Server, qgdr, sample

from qgdr_pyserini.ask.asking import AskRequest, ask
from qgdr_pyserini.collection.topics import read_topics
from qgdr_pyserini.errors import InputError, QgdrError
from qgdr_pyserini.evaluate.per_query import read_outcomes
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.registry import find_encoder
from qgdr_pyserini.serve.batching import Batcher, Busy
from qgdr_pyserini.serve.limits import DEFAULTS
from qgdr_pyserini.serve.running import ServeRequest, serve

QUESTION = "Welcher Fluss fließt durch Wien?"
EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = sample(tmp_path_factory.mktemp("served"))
    qrels = (folder / "c" / "qrels.txt").read_text().splitlines()
    run = [f"{qid} Q0 {docid} 1 0.9 good" for qid, _, docid, _ in map(str.split, qrels)]
    (folder / "good.txt").write_text("\n".join(run) + "\n")
    first = qrels[0].split()[0]
    (folder / "poor.txt").write_text(f"{first} Q0 absent 1 0.9 poor\n")
    return folder


@pytest.fixture(scope="module")
def server(place):
    collection = place / "c"
    with Server(
        *("--index", place / "sample.qgdr", "--bm25", place / "lucene", "--qrels", collection / "qrels.txt"),
        *("--topics", f"{collection}/topics.*.tsv"),
        *("--run", f"good={place}/good.txt", "--run", f"poor={place}/poor.txt"),
    ) as running:
        yield running


def test_searches_are_those_of_ask(server, place):
    request = AskRequest(
        place / "sample.qgdr", hits=7, bm25=place / "lucene", modes=("dense", "bm25", "hybrid")
    )
    (expected,) = ask(request, [QUESTION])
    for mode, answer in zip(("dense", "bm25", "hybrid"), expected, strict=True):
        found = server.get("/search", question=QUESTION, mode=mode, hits=7)
        assert (found["mode"], found["language"]) == (mode, "de")
        assert [(hit["docid"], hit["rank"]) for hit in found["hits"]] == [
            (hit.docid, hit.rank) for hit in answer.hits
        ]
        assert [hit["score"] for hit in found["hits"]] == pytest.approx([hit.score for hit in answer.hits])
        assert [hit["text_marks"] for hit in found["hits"]] == [
            [list(span) for span in hit.text_marks] for hit in answer.hits
        ]


def test_many_at_once_get_what_each_gets_alone(server, place):
    questions = [
        text
        for language in ("de", "ar", "zh", "en")
        for text in list(read_topics(place / "c" / f"topics.{language}.tsv").values())[:12]
    ]

    def found(question):
        return server.get("/search", question=question, hits=5)["hits"]

    alone = list(map(found, questions))
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(found, questions)) == alone


def test_texts_are_encoded_as_the_encoder_does(server):
    encoder = DualEncoder.from_pretrained(find_encoder("qgdr"))
    texts = [QUESTION, "Danube\nIt rises in the Black Forest."]
    for role, expected in (
        ("query", encoder.encode_queries(texts)),
        ("passage", encoder.encode_passages(texts)),
    ):
        status, _, found = server.request("/encode", {"texts": texts, "role": role})
        assert status == 200
        np.testing.assert_allclose(found["vectors"], expected, atol=1e-5)
        assert (found["encoder"], found["dimension"]) == ("qgdr", encoder.dimension)


def test_health_says_what_is_served(server, place):
    found = server.get("/health")
    assert found["status"] == "ok"
    assert (found["index"], found["encoder"], found["modes"]) == (
        "sample.qgdr",
        "qgdr",
        ["dense", "bm25", "hybrid"],
    )
    assert found["passages"] == len((place / "sample.qgdr" / "docid").read_text().splitlines())
    assert found["runs"] == ["good", "poor"]
    assert "de" in found["languages"]


def test_questions_of_the_topics_are_listed_and_searched(server, place):
    german = read_topics(place / "c" / "topics.de.tsv")
    found = server.get("/topics", language="de", limit=200)
    assert {row["qid"]: row["question"] for row in found["topics"]} == german
    assert found["total"] == len(german)
    first, rest = (server.get("/topics", language="de", limit=3, offset=at)["topics"] for at in (0, 3))
    assert [row["qid"] for row in (*first, *rest)] == list(german)[:6]
    qid, question = list(german.items())[4]
    assert qid in [row["qid"] for row in server.get("/topics", text=question[2:12].upper())["topics"]]
    assert [row["qid"] for row in server.get("/topics", text=qid)["topics"]] == [qid]


def test_how_the_runs_did_on_a_question(server, place):
    qid, _, docid, grade = (place / "c" / "qrels.txt").read_text().split()[:4]
    found = server.get(f"/topics/{qid}")
    (judged,) = [one for one in found["judged"] if one["docid"] == docid]
    assert judged["grade"] == int(grade)
    assert judged["ranks"] == {"good": 1, "poor": None}
    assert judged["text"]
    good, poor = found["runs"]
    assert (good["first"], poor["first"], poor["found"]) == (1, None, 1)
    assert poor["top"] == [{"rank": 1, "docid": "absent", "score": 0.9, "title": "", "grade": None}]
    assert server.request("/topics/nothing-here")[0] == 404


@pytest.mark.parametrize(
    ("parameters", "status"),
    [
        ({}, 422),
        ({"question": ""}, 422),
        ({"question": " \n"}, 400),
        ({"question": "x" * (DEFAULTS.question + 1)}, 422),
        ({"question": "x", "hits": 0}, 422),
        ({"question": "x", "hits": DEFAULTS.hits + 1}, 422),
        ({"question": "x", "mode": "sparse"}, 422),
        ({"question": "x", "language": "../../x"}, 422),
    ],
)
def test_what_is_refused(server, parameters, status):
    assert server.request("/search", **parameters)[0] == status


@pytest.mark.parametrize(
    "question", ["多" * DEFAULTS.question, EVIL, "\x00\x1b", "a AND (b", "\u202e؟", "?", "🙂"]
)
def test_any_text_is_a_question(server, question):
    for mode in ("dense", "bm25", "hybrid"):
        assert server.request("/search", question=question, mode=mode)[0] == 200


def test_bodies_that_are_too_large_or_no_json(server):
    refused = http.client.HTTPConnection(urlsplit(server.url).netloc)
    refused.putrequest("POST", "/encode")
    refused.putheader("content-length", str(DEFAULTS.body + 1))
    refused.endheaders()  # the answer comes before the body does
    assert refused.getresponse().status == 413
    assert server.request("/encode", {"texts": ["x"] * (DEFAULTS.texts + 1)})[0] == 413
    assert server.request("/encode", {"texts": ["x" * (DEFAULTS.text + 1)]})[0] == 413
    assert server.request("/encode", {"texts": []})[0] == 422
    assert server.request("/encode", b"{")[0] == 422
    assert server.request("/encode", {"texts": ["x"], "role": "other"})[0] == 422
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc)
    connection.request(
        "POST", "/encode", iter([b"{}"]), {"content-type": "application/json"}, encode_chunked=True
    )
    assert connection.getresponse().status == 411


def test_another_servers_name_is_not_answered(server):
    assert server.request("/health", headers={"Host": "evil.example:8000"})[0] == 421
    assert server.request("/health", headers={"Host": "localhost:1"})[0] == 200


def test_the_page_needs_nothing_else_and_browsers_are_told_so(server):
    status, headers, page = server.request("/")
    assert status == 200
    assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
    assert headers["x-content-type-options"] == "nosniff"
    assert "<script>" not in page
    assert "style=" not in page
    for name in ("/page.js", "/page.css", "/icon.svg"):
        status, headers, content = server.request(name)
        assert status == 200
        assert "http://" not in content.replace("http://www.w3.org/2000/svg", "")
        assert "innerHTML" not in content
    assert "access-control-allow-origin" not in headers


def test_the_document_describes_every_endpoint(server):
    document = server.get("/openapi.json")
    assert sorted(document["paths"]) == ["/encode", "/health", "/search", "/topics", "/topics/{qid}"]
    assert "RankedPassage" in document["components"]["schemas"]
    assert server.request("/docs")[0] == 404


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_told_and_loses_no_answer(place, number):
    with Server("--index", place / "sample.qgdr", "--bm25", place / "lucene") as running:
        statuses, under_way = [], threading.Barrier(17)

        def ask_once(mode):
            connection = http.client.HTTPConnection(urlsplit(running.url).netloc, timeout=60)
            connection.connect()
            connection.request("GET", f"/search?question=Wien&mode={mode}&hits=50")
            under_way.wait()
            answer = connection.getresponse()
            statuses.append((answer.status, len(json.loads(answer.read())["hits"]) > 0))

        threads = [
            threading.Thread(target=ask_once, args=(("dense", "hybrid")[half % 2],)) for half in range(16)
        ]
        for thread in threads:
            thread.start()
        under_way.wait()
        running.get("/health")  # asked last, so when it is answered the others have been read
        code, said = running.end(number)
        for thread in threads:
            thread.join()
    assert (code, said) == (0, "")
    assert statuses == [(200, True)] * 16


def test_what_cannot_be_served(place, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = qgdr("serve", "--index", place / "sample.qgdr", "--port", port)
    assert done.returncode == 2
    assert (
        done.stderr == f"Error: 127.0.0.1:{port}: Address already in use; choose another --host or --port\n"
    )
    request = ServeRequest(place / "sample.qgdr", runs=("good.txt",))
    with pytest.raises(QgdrError, match="--qrels and --run need --topics"):
        serve(request, print, print)
    (tmp_path / "topics.de.tsv").write_text("q1\tWas?\n")
    (tmp_path / "topics.en.tsv").write_text("q1\tWhat?\n")
    with pytest.raises(InputError, match="'q1' is in another topics file too"):
        read_outcomes([str(tmp_path / "topics.*.tsv")], None, [])


def test_without_its_packages_one_line_says_how_to_install_them(monkeypatch):
    import importlib.util

    from click.testing import CliRunner

    from qgdr_pyserini.cli import main

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    result = CliRunner().invoke(main, ["serve", "--index", "anything"])
    assert result.exit_code == 2
    assert result.stderr == "Error: qgdr serve needs fastapi; run: pip install 'qgdr-pyserini[serve]'\n"


def test_what_comes_together_is_worked_on_together_and_too_much_is_refused():
    begun, go, batches = threading.Event(), threading.Event(), []

    def work(kind, items):
        batches.append((kind, list(items)))
        begun.set()
        go.wait()
        if kind == "bad":
            raise QgdrError("cannot")
        return [item.upper() for item in items]

    async def ask_all():
        batcher = Batcher(work, together=3, waiting=4)
        first = asyncio.create_task(batcher.ask("good", "a"))
        await asyncio.to_thread(begun.wait)
        asked = [("good", "b"), ("good", "c"), ("bad", "d"), ("good", "e")]
        rest = [asyncio.create_task(batcher.ask(kind, item)) for kind, item in asked]
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await batcher.ask("good", "f")
        rest[1].cancel()
        go.set()
        answers = await asyncio.gather(first, *rest, return_exceptions=True)
        await asyncio.to_thread(batcher.close)
        return answers

    found = asyncio.run(ask_all())
    assert [found[place] for place in (0, 1, 4)] == ["A", "B", "E"]
    assert isinstance(found[2], asyncio.CancelledError)
    assert str(found[3]) == "cannot"
    assert batches == [("good", ["a"]), ("good", ["b"]), ("bad", ["d"]), ("good", ["e"])]


def test_closing_a_batcher_finishes_what_waits():
    async def ask_and_close():
        batcher = Batcher(lambda kind, items: list(items), together=2)
        tasks = [asyncio.create_task(batcher.ask("k", number)) for number in range(9)]
        await asyncio.sleep(0)
        await asyncio.to_thread(batcher.close)
        return await asyncio.gather(*tasks)

    assert asyncio.run(ask_and_close()) == list(range(9))
