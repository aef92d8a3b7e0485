"""Start a server of Pyserini's 2.x, ask it every query of a topics file, print the rankings as JSON.

python serving.py rest|mcp CONFIG INDEX TOPICS
"""

import asyncio
import json
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

Ranking = list[tuple[str, float]]

HITS = 10
PATIENCE = 150


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    for _ in range(PATIENCE * 5):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            if server.poll() is not None:
                break
            time.sleep(0.2)
    raise SystemExit("the server does not listen")


def ask_rest(port: int, index: str, queries: dict[str, str]) -> dict[str, Ranking]:
    found = {}
    for qid, query in queries.items():
        options = urllib.parse.urlencode({"query": query, "hits": HITS})
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/{index}/search?{options}") as answer:
            candidates = json.load(answer)["candidates"]
        assert all(candidate["doc"] for candidate in candidates)
        found[qid] = [(candidate["docid"], candidate["score"]) for candidate in candidates]
    return found


def ask_mcp(port: int, index: str, queries: dict[str, str]) -> dict[str, Ranking]:
    from fastmcp import Client

    async def ask() -> dict[str, Ranking]:
        async with Client(f"http://127.0.0.1:{port}/mcp") as client:
            return {
                qid: ranking_of(
                    await client.call_tool(
                        "search", {"query": {"query_txt": query}, "index": index, "hits": HITS}
                    )
                )
                for qid, query in queries.items()
            }

    return asyncio.run(ask())


def ranking_of(result: Any) -> Ranking:
    """Read the tool's answer: a heading, then for every hit a line with docid and score, and its text."""
    lines = [line for line in json.loads(result.content[0].text) if isinstance(line, str)]
    pairs = [line.removeprefix("DocID: ").split(" | Score: ") for line in lines if line.startswith("DocID: ")]
    return [(docid, float(score)) for docid, score in pairs]


SERVERS: dict[str, tuple[list[str], Callable[[int, str, dict[str, str]], dict[str, Ranking]]]] = {
    "rest": (["pyserini.server.rest", "--host", "127.0.0.1"], ask_rest),
    "mcp": (["pyserini.server.mcp", "--transport", "http"], ask_mcp),
}


def main(kind: str, config: str, index: str, topics: str) -> None:
    module, ask = SERVERS[kind]
    port = free_port()
    queries = dict(line.split("\t") for line in Path(topics).read_text(encoding="utf-8").splitlines())
    with Path(f"{kind}.log").open("wb") as log:
        command = [sys.executable, "-m", *module, "--port", str(port), "--config", config]
        server = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            wait_for(port, server)
            print(json.dumps(ask(port, index, queries)))
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
