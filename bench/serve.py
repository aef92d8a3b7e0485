"""Compare `qgdr serve` with Pyserini's bare `FaissSearcher`: latency, errors, memory, and how it ends.

Both search one flat index for the same questions, one after the other in one run, each in a process of its
own: first for one client, who asks the next question when the last is answered, then for many at once. The
bare searcher's clients are threads of its process, the server's are threads of this one, over HTTP. The
server does more: HTTP, the passages' texts from the store, the question's language, the marks.

    python bench/serve.py --data data/train --passages 20000 --requests 2000 --clients 32 --output serve.json

Columns of the table: ``median`` and ``95 %`` of the milliseconds from question to answer; ``×``, the median
against the bare searcher's; ``cpu``, the side's processor milliseconds a request, which other work on the
machine disturbs less than the clock; ``errors``, answers that did not come or are no passages; ``other
rankings``, answers whose passages are not those of the bare searcher. Below it stand the server's memory,
how long it took to end after SIGTERM with as many questions under way as there are clients, and how many
answers were lost by that.
"""

from __future__ import annotations

import argparse
import gzip
import http.client
import itertools
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

QGDR = [sys.executable, "-c", "from qgdr_pyserini.cli import main; main()"]
Ask = Callable[[str], list[str]]
"""Answers a question with ids."""


def main() -> None:
    """Run the comparison, print the table, write the JSON."""
    arguments = parse()
    if arguments.bare:
        serve_bare(arguments)
        return
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        prepare(work, arguments)
        result = compare(work, arguments)
    print_result(result)
    if arguments.output:
        arguments.output.write_text(json.dumps(result, indent=2) + "\n")


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    shared = Path(os.environ.get("QGDR_SHARED", "../shared")) / "data/train"
    parser.add_argument("--data", type=Path, default=shared, help="passages and queries")
    parser.add_argument("--encoder", default="qgdr")
    parser.add_argument("--passages", type=int, default=20_000)
    parser.add_argument("--requests", type=int, default=2000, help="under load")
    parser.add_argument("--single", type=int, default=200, help="requests of one client")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--hits", type=int, default=10)
    parser.add_argument("--output", type=Path, help="JSON file")
    parser.add_argument("--bare", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def prepare(work: Path, arguments: argparse.Namespace) -> None:
    """Write corpus, index and questions."""
    with (
        gzip.open(arguments.data / "passages.jsonl.gz", "rt", encoding="utf-8") as source,
        (work / "corpus.jsonl").open("w", encoding="utf-8") as corpus,
    ):
        for number, line in enumerate(itertools.islice(source, arguments.passages)):
            row = json.loads(line)
            kept = {"id": f"p{number}", "title": row.get("title", ""), "text": row["text"]}
            corpus.write(json.dumps(kept) + "\n")
    with gzip.open(arguments.data / "queries.jsonl.gz", "rt", encoding="utf-8") as source:
        rows = itertools.islice(source, 0, None, 37)
        questions = [" ".join(json.loads(line)["query"].split()) for line in itertools.islice(rows, 1000)]
    (work / "questions.json").write_text(json.dumps(questions))
    command = [*QGDR, "encode-corpus", "--corpus", str(work / "corpus.jsonl"), "--index", str(work / "index")]
    subprocess.run([*command, "--encoder", arguments.encoder, "--device", "cpu"], check=True)


def compare(work: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure both sides."""
    load = os.getloadavg()[0]
    bare = run_bare(work, arguments)
    server = measure_server(work, arguments)
    sides = {"FaissSearcher": bare, "qgdr serve": server}
    for phase in ("single", "loaded"):
        wanted = dict(bare[phase]["answers"])
        for side in sides.values():
            answers = side[phase].pop("answers")
            side[phase]["others"] = sum(bool(ids) and ids != wanted[question] for question, ids in answers)
    return {
        "passages": arguments.passages,
        "requests": arguments.requests,
        "clients": arguments.clients,
        "hits": arguments.hits,
        "cpus": os.cpu_count(),
        "load": [load, os.getloadavg()[0]],
        "sides": sides,
    }


def run_bare(work: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Have a process of its own measure the bare searcher."""
    numbers = ("requests", "single", "clients", "hits")
    options = [word for name in numbers for word in (f"--{name}", str(getattr(arguments, name)))]
    command = [sys.executable, __file__, "--bare", str(work), "--encoder", arguments.encoder, *options]
    environment = os.environ | {"OPENAI_API_KEY": os.environ.get("OPENAI_API_KEY", "none")}
    done = subprocess.run(command, stdout=subprocess.PIPE, env=environment, check=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def serve_bare(arguments: argparse.Namespace) -> None:
    """Measure the bare searcher; print JSON."""
    from pyserini.search.faiss import FaissSearcher

    searcher = FaissSearcher(str(arguments.bare / "index"), arguments.encoder)

    def ask(question: str) -> list[str]:
        return [hit.docid for hit in searcher.search(question, arguments.hits)]

    questions = json.loads((arguments.bare / "questions.json").read_text())
    print(json.dumps(phases(lambda: ask, questions, arguments, time.process_time)))


def measure_server(work: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Start the server, measure it, and end it while it is asked."""
    questions = json.loads((work / "questions.json").read_text())
    server = subprocess.Popen(
        [*QGDR, "serve", "--index", str(work / "index"), "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        address = server.stdout.readline().split("http://")[1].split("/")[0]
        memory: list[int] = []
        result = phases(
            lambda: client(address, arguments.hits),
            questions,
            arguments,
            lambda: processor_seconds(server.pid),
            lambda: memory.append(resident(server.pid)),
        )
        return result | {"memory": memory, "end": end(server, address, questions, arguments)}
    finally:
        server.kill()
        server.wait()


def phases(
    connect: Callable[[], Ask],
    questions: Sequence[str],
    arguments: argparse.Namespace,
    spent: Callable[[], float],
    note: Callable[[], object] = lambda: None,
) -> dict[str, Any]:
    """Ask one by one, then by many at once; ``note`` is called before, between the halves, and after."""
    ask_all(connect, questions[:64], 1)  # so that everything is loaded
    started = spent()
    alone = ask_all(connect, repeated(questions, arguments.single), 1)
    result = {"single": summary(alone, spent() - started)}
    ask_all(connect, repeated(questions, arguments.clients * 4), arguments.clients)
    note()
    half, started = arguments.requests // 2, spent()
    wanted = repeated(questions, arguments.requests)
    rows = ask_all(connect, wanted[:half], arguments.clients)
    note()
    rows += ask_all(connect, wanted[half:], arguments.clients)
    note()
    return result | {"loaded": summary(rows, spent() - started)}


def repeated(questions: Sequence[str], count: int) -> list[str]:
    """Give as many questions as are wanted."""
    return list(itertools.islice(itertools.cycle(questions), count))


def ask_all(
    connect: Callable[[], Ask], questions: Sequence[str], clients: int
) -> list[tuple[str, float, list[str]]]:
    """Have clients ask all questions between them; give each with its seconds and ids (none: an error)."""
    left, found, lock = iter(questions), [], threading.Lock()

    def run() -> None:
        ask = connect()
        while True:
            with lock:
                question = next(left, None)
            if question is None:
                return
            started = time.perf_counter()
            try:
                ids = ask(question)
            except Exception as error:
                print(f"error: {error!r}", file=sys.stderr)
                ids, ask = [], connect()
            found.append((question, time.perf_counter() - started, ids))

    threads = [threading.Thread(target=run) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def client(address: str, hits: int) -> Ask:
    """Give what asks the server, over a connection that is kept."""
    connection = http.client.HTTPConnection(address, timeout=600)

    def ask(question: str) -> list[str]:
        connection.request("GET", f"/search?{urllib.parse.urlencode({'question': question, 'hits': hits})}")
        answer = connection.getresponse()
        content = json.loads(answer.read())
        if answer.status != 200:
            raise RuntimeError(f"{answer.status}: {content}")
        return [hit["docid"] for hit in content["hits"]]

    return ask


def summary(rows: Sequence[tuple[str, float, list[str]]], spent: float) -> dict[str, Any]:
    """Sum up latencies in milliseconds, and the processor seconds spent."""
    milliseconds = sorted(1000 * seconds for _, seconds, _ in rows)
    return {
        "median": statistics.median(milliseconds),
        "p95": milliseconds[int(0.95 * (len(milliseconds) - 1))],
        "cpu": 1000 * spent / len(rows),
        "errors": sum(not ids for _, _, ids in rows),
        "requests": len(rows),
        "answers": [(question, ids) for question, _, ids in rows],
    }


def processor_seconds(pid: int) -> float:
    """Give the processor time that a process has spent."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> int:
    """Give a process's memory, in kB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])


def end(
    server: subprocess.Popen[str], address: str, questions: Sequence[str], arguments: argparse.Namespace
) -> dict[str, Any]:
    """Tell the server to end while each client waits for an answer; see how long it takes, what is lost."""
    connections = [http.client.HTTPConnection(address, timeout=600) for _ in range(arguments.clients)]
    for connection, question in zip(connections, questions, strict=False):
        connection.request("GET", f"/search?{urllib.parse.urlencode({'question': question})}")
    # Asked last: when this is answered, the server has read all that was asked before.
    client_of_health = http.client.HTTPConnection(address, timeout=600)
    client_of_health.request("GET", "/health")
    client_of_health.getresponse().read()
    server.send_signal(signal.SIGTERM)
    started = time.perf_counter()
    answered: list[int] = []

    def read(connection: http.client.HTTPConnection) -> None:
        try:
            answer = connection.getresponse()
            answered.append(int(answer.status == 200 and bool(json.loads(answer.read())["hits"])))
        except (OSError, http.client.HTTPException, ValueError):
            answered.append(0)

    threads = [threading.Thread(target=read, args=(connection,)) for connection in connections]
    for thread in threads:
        thread.start()
    code = server.wait()
    seconds = time.perf_counter() - started
    for thread in threads:
        thread.join()
    return {"seconds": seconds, "code": code, "lost": arguments.clients - sum(answered)}


def print_result(result: dict[str, Any]) -> None:
    """Print the table in Markdown, and what stands below it."""
    print(
        f"{result['passages']:,} passages, {result['hits']} hits, {result['cpus']} processors; "
        f"load of the machine {result['load'][0]:.1f} to {result['load'][1]:.1f}\n"
    )
    columns = [
        "clients",
        "side",
        "requests",
        "median, ms",
        "95 %, ms",
        "×",
        "cpu, ms",
        "errors",
        "other rankings",
    ]
    print("| " + " | ".join(columns) + " |\n" + "|---" * len(columns) + "|")
    for phase, clients in (("single", 1), ("loaded", result["clients"])):
        base = result["sides"]["FaissSearcher"][phase]["median"]
        for name, side in result["sides"].items():
            row = side[phase]
            cells = [clients, name, f"{row['requests']:,}", f"{row['median']:.1f}", f"{row['p95']:.1f}"]
            cells += [f"{row['median'] / base:.2f}", f"{row['cpu']:.1f}", row["errors"], row["others"]]
            print("| " + " | ".join(map(str, cells)) + " |")
    server = result["sides"]["qgdr serve"]
    before, between, after = (kilobytes / 1000 for kilobytes in server["memory"])
    print(
        f"\nMemory of the server: {before:,.0f} MB before the load, {between:,.0f} amid, {after:,.0f} after"
    )
    ended = server["end"]
    print(
        f"SIGTERM: ended in {ended['seconds']:.2f} s, exit code {ended['code']}, {ended['lost']} answers lost"
    )


if __name__ == "__main__":
    main()
