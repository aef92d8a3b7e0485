"""Measure what crash safety costs, and that memory does not grow with the corpus.

    python bench/resume.py --kills 20 --passages 2000
    python bench/resume.py --memory 10000 100000 --layers 1

The first kills `qgdr encode-corpus` (SIGKILL) at random moments, resumes it, compares the index byte by byte
with an uninterrupted one, and prints how long a resumed run takes before it encodes anything new. The second
prints the peak memory of encoding corpora of the given sizes, before the index is assembled. ``--layers``
takes a random 384-dimensional BERT made here in place of an encoder; one of one layer is sooner done.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

PROCESSES = multiprocessing.get_context("forkserver")
WINDOW = 64
WORDS = ("river", "danube", "rises", "black", "forest", "vienna", "north", "sea", "bridge", "city")


def main() -> None:
    """Run what is asked for, and print it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--encoder", default="qgdr")
    parser.add_argument("--layers", type=int, help="of a random encoder to take instead")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--passages", type=int, default=2000)
    parser.add_argument("--memory", type=int, nargs="*", help="sizes of corpora")
    arguments = parser.parse_args()
    PROCESSES.set_forkserver_preload(["qgdr_pyserini.encode.encode_corpus"])
    with tempfile.TemporaryDirectory() as folder:
        work, encoder = Path(folder), arguments.encoder
        if arguments.layers is not None:
            from encode import make_model  # Not above: the processes measured import this file, too.

            encoder = str(make_model(work, [" ".join(WORDS)] * 2, arguments.layers))
        if arguments.memory:
            memory(work, encoder, arguments.memory)
        else:
            kills(work, encoder, arguments.kills, arguments.passages)


def encode(corpus: Path, index: Path, encoder: str, answer: Any = None, assemble: bool = True) -> None:
    """Encode, resuming; tell how long it took and how much memory it needed."""
    from qgdr_pyserini.encode import encode_corpus, faiss_types, journal
    from qgdr_pyserini.encode.options import EncodingOptions

    options = EncodingOptions(device="cpu", precision="fp32", window=WINDOW if assemble else 1024)
    checked = journal.Journal.resume
    spent = []

    def timed(folder: Path) -> Any:
        started = time.perf_counter()
        try:
            return checked(folder)
        finally:
            spent.append(time.perf_counter() - started)

    journal.Journal.resume = timed  # type: ignore[method-assign,assignment]
    if not assemble:
        faiss_types.IndexType.write = lambda self, vectors, path: path.touch()  # type: ignore[method-assign]
    done = encode_corpus.encode_corpus(corpus, index, encoder, resume=True, options=options)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if answer is not None:
        answer.send((done.seconds, done.resumed, sum(spent), peak))


def run(*arguments: Any, **more: Any) -> tuple[float, int, float, float]:
    """Encode in a process of its own."""
    here, there = PROCESSES.Pipe()
    process = PROCESSES.Process(target=encode, args=(*arguments, there), kwargs=more)
    process.start()
    answer: tuple[float, int, float, float] = here.recv()
    process.join()
    return answer


def kills(work: Path, encoder: str, count: int, passages: int) -> None:
    """Kill and resume ``count`` times."""
    corpus = write_corpus(work, passages)
    began = time.monotonic()
    whole = run(corpus, work / "whole", encoder)
    seconds = time.monotonic() - began
    same, kept, checking = 0, 0, []
    for trial in range(count):
        index = work / f"trial{trial}"
        process = PROCESSES.Process(target=encode, args=(corpus, index, encoder))
        process.start()
        time.sleep(random.uniform(0, seconds))
        process.kill()  # SIGKILL
        process.join()
        again = run(corpus, index, encoder)
        kept += again[1]
        checking.append(again[2])
        same += all((index / name).read_bytes() == (work / "whole" / name).read_bytes() for name in NAMES)
    print(f"{same} of {count} byte-identical after SIGKILL at random moments in {seconds:.1f} s")
    print(f"{kept / count:,.0f} of {passages:,} passages were safe on average; a window is {WINDOW} passages")
    print(
        f"checking what was there took {1000 * max(checking):.1f} ms at most, "
        f"{max(checking) / whole[0]:.2%} of an uninterrupted run's {whole[0]:.1f} s"
    )


NAMES = ("index", "docid", "qgdr.json")


def memory(work: Path, encoder: str, sizes: list[int]) -> None:
    """Print the peak memory for corpora of several sizes."""
    for size in sizes:
        place = work / str(size)
        place.mkdir()
        answer = run(write_corpus(place, size), place / "index", encoder, assemble=False)
        print(f"{size:>9,} passages: peak {answer[3]:,.0f} MB, {size / answer[0]:,.0f} passages/s")


def write_corpus(folder: Path, count: int) -> Path:
    """Write passages of 8 to 200 words."""
    words = random.Random(1).choices(WORDS, k=400)
    path = folder / "corpus.jsonl"
    with path.open("w") as file:
        for number in range(count):
            text = " ".join(words[number % 150 : number % 150 + 8 + number * 37 % 193])
            file.write(json.dumps({"id": f"p{number}", "text": text}) + "\n")
    return path


if __name__ == "__main__":
    main()
