"""Compare searches of one flat index by stock Pyserini: queries alone and in batches, its encoder and ours.

All sides run `python -m pyserini.search.faiss` over the same index and questions, one after another in one
run, each in a process of its own. "stock" loads the encoder by Pyserini's own AutoQueryEncoder
(`--encoder-class auto`), "qgdr" by `--encoder qgdr`. Both have our plug-in's threads sleep while they wait.

    python bench/search.py --data data/train --passages 100000 --queries 1280 --output search.json

Columns of the table: ``queries/s``, as Pyserini's own progress bar gives it, over encoding, searching and
writing the run (starting up and loading the index are not in it); ``×``, against the same encoder one query
at a time; ``cpu ms``, processor time a query, without that of a run over one batch, which other work on the
machine disturbs less; ``× cpu`` likewise; ``other rankings``, queries whose ranking differs from that of one
query at a time by the same encoder. Below it stands where one query's time goes, measured inside one process.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

# isort: split
import faiss

from qgdr_pyserini.collection.topics import read_topics, write_topics
from qgdr_pyserini.encode.encode_corpus import encode_corpus
from qgdr_pyserini.encode.options import EncodingOptions
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.registry import find_encoder
from qgdr_pyserini.pyserini_plugin.flat_search import FlatSearch

BATCH = 64


def main() -> None:
    """Run the comparison, print the table, write the JSON."""
    arguments = parse()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        prepare(work, arguments)
        result = compare(work, arguments) | {"parts": parts(work, arguments)}
    print_table(result)
    if arguments.output:
        arguments.output.write_text(json.dumps(result, indent=2) + "\n")


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    shared = Path(os.environ.get("QGDR_SHARED", "../shared")) / "data/train"
    parser.add_argument("--data", type=Path, default=shared, help="passages, sentences and queries")
    parser.add_argument("--encoder", default="qgdr")
    parser.add_argument("--passages", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=20 * BATCH)
    parser.add_argument("--hits", type=int, default=100)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--sides", nargs="+", choices=list(SIDES), default=list(SIDES))
    parser.add_argument("--output", type=Path, help="JSON file")
    return parser.parse_args()


def prepare(work: Path, arguments: argparse.Namespace) -> None:
    """Write corpus, index and topics."""
    with (work / "corpus.jsonl").open("w") as file:
        for number, text in enumerate(itertools.islice(texts(arguments.data), arguments.passages)):
            file.write(json.dumps({"id": f"p{number}", "text": text}) + "\n")
    options = EncodingOptions(device="cpu")
    encode_corpus(work / "corpus.jsonl", work / "index", arguments.encoder, options=options)
    questions = itertools.islice(queries(arguments.data), arguments.queries)
    topics = {f"q{number}": question for number, question in enumerate(questions)}
    write_topics(work / "all.tsv", topics)
    write_topics(work / "few.tsv", dict(itertools.islice(topics.items(), BATCH)))


def texts(data: Path) -> Iterator[str]:
    """Yield different texts: the passages, then the English sides of the parallel sentences."""
    seen = set()
    for text in itertools.chain(read_passages(data), read_sentences(data)):
        if text.strip() and text not in seen:
            seen.add(text)
            yield text


def read_passages(data: Path) -> Iterator[str]:
    """Yield the texts of the passages."""
    with gzip.open(data / "passages.jsonl.gz", "rt", encoding="utf-8") as file:
        yield from (json.loads(line)["text"] for line in file)


def read_sentences(data: Path) -> Iterator[str]:
    """Yield the English sides of the parallel sentences."""
    with gzip.open(data / "sentences.tsv.gz", "rt", encoding="utf-8") as file:
        yield from (line.split("\t")[2].rstrip("\n") for line in file)


def queries(data: Path) -> Iterator[str]:
    """Yield every 37th question, so that all languages are among them."""
    with gzip.open(data / "queries.jsonl.gz", "rt", encoding="utf-8") as file:
        for line in itertools.islice(file, 0, None, 37):
            yield " ".join(json.loads(line)["query"].split())


def stock(encoder: str) -> list[str]:
    """Options that make Pyserini load the encoder by itself."""
    folder = find_encoder(encoder)
    config = DualEncoder.from_pretrained(folder).config
    norm = ["--l2-norm"] if config.normalize else []
    return ["--encoder-class", "auto", "--encoder", str(folder), "--pooling", config.pooling, *norm]


def ours(encoder: str) -> list[str]:
    """Options that make Pyserini take our encoder class."""
    return ["--encoder", encoder]


# By name: the encoder's options, and whether queries come in batches.
SIDES: dict[str, tuple[Callable[[str], list[str]], bool]] = {
    "stock, batch 1": (stock, False),
    "stock, batch 64": (stock, True),
    "qgdr, batch 1": (ours, False),
    "qgdr, batch 64": (ours, True),
}


def compare(work: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Run all sides ``repeats`` times, in turns."""
    runs: dict[str, list[dict[str, float]]] = {side: [] for side in arguments.sides}
    rankings: dict[str, dict[str, list[str]]] = {}
    loads = []
    for _ in range(arguments.repeats):
        for side in arguments.sides:
            loads.append(os.getloadavg()[0])
            few = measure(work, side, "few.tsv", arguments)
            found = measure(work, side, "all.tsv", arguments)
            found["cpu_ms"] = 1000 * (found["cpu"] - few["cpu"]) / (arguments.queries - BATCH)
            runs[side].append(found)
            rankings[side] = ranking(work / "run.txt")
            print(side, {key: round(value, 2) for key, value in found.items()}, file=sys.stderr)
    return {
        "passages": arguments.passages,
        "queries": arguments.queries,
        "hits": arguments.hits,
        "threads": arguments.threads,
        "repeats": arguments.repeats,
        "load": [min(loads), max(loads)],
        "sides": {side: summary(side, runs, rankings) for side in arguments.sides},
    }


def measure(work: Path, side: str, topics: str, arguments: argparse.Namespace) -> dict[str, float]:
    """Run a search; return queries a second by its progress bar, and processor seconds."""
    options, batched = SIDES[side]
    batch = ["--batch-size", str(BATCH), "--threads", str(arguments.threads)] if batched else []
    places = f"--index {work}/index --topics {work}/{topics} --output {work}/run.txt --hits {arguments.hits}"
    module = [sys.executable, "-m", "pyserini.search.faiss"]
    command = [*module, *places.split(), *options(arguments.encoder), *batch]
    environment = os.environ | {
        "HF_HUB_OFFLINE": "1",
        "OPENAI_API_KEY": os.environ.get("OPENAI_API_KEY", "none"),
    }
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, stdout=errors, stderr=errors, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        errors.seek(0)
        output = errors.read().decode()
    if status:
        sys.exit(f"{' '.join(command)}\nfailed:\n{output[-3000:]}")
    return {"rate": rate(output), "cpu": usage.ru_utime + usage.ru_stime}


def rate(output: str) -> float:
    """Read queries a second off the last state of Pyserini's progress bar."""
    value, unit = re.findall(r"([0-9.]+)(it/s|s/it)\]", output)[-1]
    return float(value) if unit == "it/s" else 1 / float(value)


def ranking(path: Path) -> dict[str, list[str]]:
    """Read a TREC run: ids in order, by query."""
    found: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        query, _, docid, *_ = line.split()
        found.setdefault(query, []).append(docid)
    return found


def summary(
    side: str, runs: dict[str, list[dict[str, float]]], rankings: dict[str, dict[str, list[str]]]
) -> dict[str, float]:
    """Medians of a side, and its rankings against those of one query at a time."""
    found = {key: statistics.median(run[key] for run in runs[side]) for key in runs[side][0]}
    single = rankings.get(side.replace("64", "1"))
    if single is not None:
        found["other_rankings"] = sum(single[query] != ids for query, ids in rankings[side].items())
    return found


def parts(work: Path, arguments: argparse.Namespace) -> dict[str, float]:
    """Measure encoding and searching alone, in processor milliseconds a query."""
    encoder = DualEncoder.from_pretrained(find_encoder(arguments.encoder))
    questions = list(read_topics(work / "few.tsv").values())
    index = faiss.read_index(str(work / "index" / "index"))
    faiss.omp_set_num_threads(1)
    torch.set_num_threads(1)
    exact, vectors, hits = FlatSearch(index), encoder.encode_queries(questions), arguments.hits
    return {
        "encode, one by one": cost(lambda: [encoder.encode_queries([text]) for text in questions]),
        "encode, batch": cost(lambda: encoder.encode_queries(questions)),
        "search, one by one": cost(lambda: [index.search(row[None], hits) for row in vectors]),
        "search, batch, FAISS alone": cost(lambda: index.search(vectors, hits)),
        "search, batch": cost(lambda: exact.search(vectors, hits)),
    }


def cost(work: Callable[[], object], repeats: int = 3) -> float:
    """Take the least processor time of several runs over a batch; in milliseconds a query."""
    work()
    least = float("inf")
    for _ in range(repeats):
        started = time.process_time()
        work()
        least = min(least, time.process_time() - started)
    return 1000 * least / BATCH


def print_table(result: dict[str, Any]) -> None:
    """Print the tables in Markdown."""
    print(
        f"{result['passages']:,} passages, {result['queries']:,} queries, {result['hits']} hits, "
        f"{result['threads']} threads in batches; load {result['load'][0]:.1f} to {result['load'][1]:.1f}; "
        f"medians of {result['repeats']}\n"
    )
    columns = ["side", "queries/s", "×", "cpu ms", "× cpu", "other rankings"]
    print("| " + " | ".join(columns) + " |\n" + "|---" * len(columns) + "|")
    for side, run in result["sides"].items():
        single = result["sides"].get(side.replace("64", "1"), run)
        gain, cpu_gain = run["rate"] / single["rate"], single["cpu_ms"] / run["cpu_ms"]
        cells = [f"{run['rate']:.1f}", f"{gain:.2f}", f"{run['cpu_ms']:.2f}", f"{cpu_gain:.2f}"]
        print("| " + " | ".join([side, *cells, f"{run.get('other_rankings', 0):.0f}"]) + " |")
    print("\n| part, one thread | cpu ms a query |\n|---|---|")
    for part, milliseconds in result["parts"].items():
        print(f"| {part} | {milliseconds:.2f} |")


if __name__ == "__main__":
    main()
