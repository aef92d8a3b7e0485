"""What memory building a collection of a named set takes, as its documents grow in number and length.

    python bench/collection_memory.py [--documents 10000 100000] [--words 200 800]

Each build is a process of its own, of a set registered in `ir_datasets` whose documents are made as they are
read, with 50 judged queries. Beside the peak of its memory stands how far that is above a process which only
imports the same.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

NAME = "qgdr-bench"


def main() -> None:
    """Measure, and print a row for each build."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--documents", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--words", type=int, nargs="+", default=[200, 800], help="of a document")
    arguments = parser.parse_args()
    idle, _ = measured(load)
    print(f"{'documents':>9} {'words':>6} {'corpus':>9} {'peak':>8} {'above imports':>14} {'seconds':>8}")
    for words in arguments.words:
        for documents in arguments.documents:
            with tempfile.TemporaryDirectory() as folder:
                os.environ["IR_DATASETS_HOME"] = f"{folder}/home"
                peak, seconds = measured(build, documents, words, f"{folder}/out")
                size = Path(folder, "out", "corpus.jsonl").stat().st_size
            print(
                f"{documents:>9,} {words:>6} {size / 2**20:>6.0f} MB {peak:>5.0f} MB"
                f" {peak - idle:>11.0f} MB {seconds:>8.1f}"
            )


def measured(work: Callable[..., None], *arguments: Any) -> tuple[float, float]:
    """Run something in a process of its own; give the peak of its memory in MB, and the seconds it took."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe()
    process = context.Process(target=_report, args=(sender, work, arguments))
    start = time.perf_counter()
    process.start()
    peak = float(receiver.recv())
    process.join()
    return peak, time.perf_counter() - start


def _report(sender: Any, work: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    work(*arguments)
    sender.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def load() -> None:
    """Import what a build imports."""
    from qgdr_pyserini.collection.loaders.base import all_loaders
    from qgdr_pyserini.collection.loaders.ir_library import find_dataset

    assert "ir_datasets" in all_loaders()
    find_dataset("cranfield")


def build(documents: int, words: int, output: str) -> None:
    """Build a collection of so many documents of so many words."""
    from qgdr_pyserini.collection.loaders.base import BuildRequest, build_collection

    register(documents, words)
    build_collection(f"ir_datasets:{NAME}", BuildRequest(output=output))


def register(documents: int, words: int) -> None:
    """Register a set whose documents are made as they are read."""
    import ir_datasets
    from ir_datasets.datasets.base import Dataset
    from ir_datasets.formats import BaseDocs, GenericDoc, TrecQrels, TsvQueries
    from ir_datasets.util import StringFile

    class Made(BaseDocs):  # type: ignore[misc]
        def docs_iter(self) -> Iterator[Any]:
            for number in range(documents):
                yield GenericDoc(f"document-{number}", " ".join(f"w{number % 977}x{i}" for i in range(words)))

        def docs_lang(self) -> str:
            return "en"

    queries = "".join(f"{number}\tWhich one?\n" for number in range(50))
    qrels = "".join(f"{number} 0 document-{number} 1\n" for number in range(50))
    parts = Made(), TsvQueries(StringFile(queries), lang="en"), TrecQrels(StringFile(qrels), {})
    ir_datasets.registry.register(NAME, Dataset(*parts))


if __name__ == "__main__":
    main()
