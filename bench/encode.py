"""Compare encoders of a corpus: pyserini.encode, sentence-transformers, qgdr encode-corpus.

All sides encode the same passages with the same model, a random 6-layer 384-dimensional BERT made here, one
after another in one run, each in a process of its own, with its own defaults where this file sets nothing.

    python bench/encode.py --passages-file data/train/passages.jsonl.gz --passages 4000 --output encode.json

Columns of the table: ``whole``, seconds of the process from start to end; ``steady``, seconds without
starting up: the whole less that of a run over 64 passages; ``cpu``, processor seconds of the whole, and
``steady cpu`` likewise, which other work on the machine disturbs less; ``peak``, memory in MB; ``use``, the
model's floating-point operations in ``steady`` against the rate of matrix products in the same precision, the
best that this torch does here, measured between the runs; ``cpu use``, the same by ``steady cpu``; ``diff``,
the largest difference of a component from pyserini.encode's vectors; ``top10``, the part of each passage's
ten nearest passages that is the same as by pyserini.encode's vectors. Sides in bf16 are left out, and this is
said, where the processor is not faster in it.
"""

from __future__ import annotations

import argparse
import functools
import gzip
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

# isort: split
import faiss
from tokenizers import BertWordPieceTokenizer
from transformers import BertConfig, BertModel, BertTokenizerFast

from qgdr_pyserini.model.config import EncoderConfig
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.inference.precision import matrix_rate

LAYERS, WIDTH, MAX_LENGTH, FEW = 6, 384, 256, 64

SENTENCE_TRANSFORMERS = """
import json, sys, numpy as np
from sentence_transformers import SentenceTransformer
model, corpus, output, dtype = sys.argv[1:]
texts = [json.loads(line)["text"] for line in open(corpus)]
encoder = SentenceTransformer(model, device="cpu", model_kwargs={"dtype": dtype})
vectors = encoder.encode(texts, batch_size=64, normalize_embeddings=True, convert_to_tensor=True)
np.save(output, vectors.float().numpy())
"""


def main() -> None:
    """Run the comparison, print the table, write the JSON."""
    arguments = parse()
    arguments.sides = arguments.sides or worthwhile_sides()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        texts = read_texts(arguments.passages_file, arguments.passages)
        model = make_model(work, texts)
        write_corpus(work / "all.jsonl", texts)
        write_corpus(work / "few.jsonl", texts[:FEW])
        result = compare(work, model, texts, arguments)
    print_table(result)
    if arguments.output:
        arguments.output.write_text(json.dumps(result, indent=2) + "\n")


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_passages(parser, 4000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--sides", nargs="+", choices=list(COMMANDS), help="all that make sense here")
    parser.add_argument("--output", type=Path, help="JSON file")
    return parser.parse_args()


def add_passages(parser: argparse.ArgumentParser, count: int) -> None:
    """Add the options that say what is encoded."""
    shared = Path(os.environ.get("QGDR_SHARED", "../shared")) / "data/train/passages.jsonl.gz"
    parser.add_argument("--passages-file", type=Path, default=shared)
    parser.add_argument("--passages", type=int, default=count)


def worthwhile_sides() -> list[str]:
    """List the sides, without bf16 where the processor lacks instructions for it: that takes hours."""
    fp32, bf16 = (matrix_rate(dtype, torch.device("cpu")) for dtype in (torch.float32, torch.bfloat16))
    if bf16 > fp32:
        return list(COMMANDS)
    print(f"bf16 is left out: {bf16 / 1e9:.0f} GFLOP/s here, fp32 {fp32 / 1e9:.0f}", file=sys.stderr)
    return [side for side in COMMANDS if not side.endswith("bf16")]


def read_texts(path: Path, count: int) -> list[str]:
    """Take ``count`` passages spread over the file, so that all its sources and lengths are among them."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        texts = [" ".join(json.loads(line)["text"].split()) for line in file]
    step = max(1, len(texts) // count)
    return texts[::step][:count]


def make_model(work: Path, texts: list[str], layers: int = LAYERS) -> Path:
    """Save a BERT with random weights whose vocabulary comes from the passages."""
    trainer = BertWordPieceTokenizer()
    trainer.train_from_iterator(texts, vocab_size=30000, show_progress=False)
    trainer.save_model(str(work))
    tokenizer = BertTokenizerFast(vocab=str(work / "vocab.txt"), model_max_length=512)
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        num_hidden_layers=layers,
        num_attention_heads=WIDTH // 32,
        intermediate_size=4 * WIDTH,
    )
    settings = EncoderConfig(passage_max_length=MAX_LENGTH)
    DualEncoder(BertModel(config), tokenizer, settings).save_pretrained(work / "model")
    return work / "model"


def write_corpus(path: Path, texts: list[str]) -> None:
    """Write passages as all sides read them."""
    rows = (json.dumps({"id": f"p{i}", "text": text}) + "\n" for i, text in enumerate(texts))
    path.write_text("".join(rows))


def stock(model: Path, corpus: Path, output: Path) -> list[str]:
    """Command of pyserini.encode."""
    encoder = f"encoder --encoder {model} --encoder-class auto --pooling mean --l2-norm --device cpu"
    files = f"input --corpus {corpus} --fields text output --embeddings {output} --to-faiss"
    shape = f"--fields text --batch-size 64 --max-length {MAX_LENGTH} --dimension {WIDTH}"
    return [sys.executable, "-m", "pyserini.encode", *files.split(), *encoder.split(), *shape.split()]


def sentence_transformers(model: Path, corpus: Path, output: Path, dtype: str) -> list[str]:
    """Command of sentence-transformers."""
    return [sys.executable, "-c", SENTENCE_TRANSFORMERS, str(model), str(corpus), f"{output}.npy", dtype]


def ours(model: Path, corpus: Path, output: Path, precision: str) -> list[str]:
    """Command of qgdr encode-corpus."""
    start = "from qgdr_pyserini.cli import main; main()"
    places = f"encode-corpus --corpus {corpus} --index {output} --encoder {model}"
    return [sys.executable, "-c", start, *places.split(), "--device", "cpu", "--precision", precision]


COMMANDS: dict[str, Callable[[Path, Path, Path], list[str]]] = {
    "pyserini.encode": stock,
    "sentence-transformers fp32": functools.partial(sentence_transformers, dtype="float32"),
    "sentence-transformers bf16": functools.partial(sentence_transformers, dtype="bfloat16"),
    "qgdr fp32": functools.partial(ours, precision="fp32"),
    "qgdr bf16": functools.partial(ours, precision="bf16"),
    "qgdr int8": functools.partial(ours, precision="int8"),
    "qgdr auto": functools.partial(ours, precision="auto"),
}


def compare(work: Path, model: Path, texts: list[str], arguments: argparse.Namespace) -> dict[str, Any]:
    """Run all sides ``repeats`` times, in turns."""
    runs: dict[str, list[dict[str, float]]] = {side: [] for side in arguments.sides}
    vectors: dict[str, Any] = {}
    precisions: dict[str, str] = {}
    rates: dict[str, list[float]] = {"fp32": [], "bf16": []}
    loads = []
    numbers = itertools.count()
    for _ in range(arguments.repeats):
        for side in arguments.sides:
            for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
                rates[name].append(matrix_rate(dtype, torch.device("cpu"), rows=2048, repeats=30))
            loads.append(os.getloadavg()[0])
            output = work / f"out{next(numbers)}"
            few = measure(COMMANDS[side](model, work / "few.jsonl", output.with_suffix(".few")))
            whole = measure(COMMANDS[side](model, work / "all.jsonl", output))
            steady = {"steady": whole["whole"] - few["whole"], "steady_cpu": whole["cpu"] - few["cpu"]}
            runs[side].append(whole | steady)
            vectors[side] = read_vectors(output)
            precisions[side] = read_precision(side, output)
            print(side, {key: round(value, 1) for key, value in runs[side][-1].items()}, file=sys.stderr)
    tokens, operations = work_to_do(model, texts)
    return {
        "passages": len(texts),
        "tokens": tokens,
        "tflop": operations / 1e12,
        "repeats": arguments.repeats,
        "threads": torch.get_num_threads(),
        "matrix_gflops": {name: statistics.median(found) / 1e9 for name, found in rates.items()},
        "matrix_gflops_best": {name: max(found) / 1e9 for name, found in rates.items()},
        "load": [min(loads), max(loads)],
        "sides": {
            side: summary(side, runs, vectors, operations, rates.get(precisions[side]))
            for side in arguments.sides
        },
    }


def measure(command: list[str]) -> dict[str, float]:
    """Run a process; return its seconds, processor seconds and peak memory in MB."""
    environment = os.environ | {
        "HF_HUB_OFFLINE": "1",
        "OPENAI_API_KEY": os.environ.get("OPENAI_API_KEY", "none"),
    }
    started = time.perf_counter()
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, stdout=errors, stderr=errors, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            errors.seek(0)
            sys.exit(f"{' '.join(command)}\nfailed:\n{errors.read().decode()[-3000:]}")
    seconds = time.perf_counter() - started
    return {"whole": seconds, "cpu": usage.ru_utime + usage.ru_stime, "peak": usage.ru_maxrss / 1024}


def read_vectors(output: Path) -> Any:
    """Read what a side wrote."""
    if output.with_suffix(".npy").exists():
        return np.load(output.with_suffix(".npy"))
    index = faiss.read_index(str(output / "index"))
    return index.reconstruct_n(0, index.ntotal)


def read_precision(side: str, output: Path) -> str:
    """Tell in which precision a side computed."""
    if side.endswith("auto"):
        return str(json.loads((output / "qgdr.json").read_text())["precision"])
    return "fp32" if side == "pyserini.encode" else side.split()[-1]


def work_to_do(model: Path, texts: list[str]) -> tuple[int, float]:
    """Count the passages' tokens, and the operations of the layers over them, without padding."""
    lengths = [len(text) for text in DualEncoder.from_pretrained(model).passage_tokens(texts)]
    return sum(lengths), sum(operations(lengths).values())


def operations(lengths: list[int]) -> dict[str, float]:
    """Count the layers' floating-point operations over texts of these lengths in tokens."""
    tokens = np.array(lengths, dtype=float)
    return {
        "products": float(LAYERS * 24 * WIDTH**2 * tokens.sum()),
        "attention": float(LAYERS * 4 * WIDTH * (tokens**2).sum()),
    }


def summary(
    side: str,
    runs: dict[str, list[dict[str, float]]],
    vectors: dict[str, Any],
    operations: float,
    rates: list[float] | None,
) -> dict[str, float]:
    """Medians of a side, and how its vectors compare with those of the first."""
    found = {key: statistics.median(run[key] for run in runs[side]) for key in runs[side][0]}
    if rates:
        # On a busy machine, the best rate is nearest to what the processor can do.
        found["use"] = operations / found["steady"] / max(rates)
        found["cpu_use"] = operations / found["steady_cpu"] / max(rates) * torch.get_num_threads()
    reference = vectors.get("pyserini.encode")
    if reference is not None:
        found["diff"] = float(np.abs(vectors[side] - reference).max())
        found["top10"] = overlap(vectors[side], reference)
    return found


def overlap(vectors: Any, reference: Any, queries: int = 500) -> float:
    """How many of the ten nearest neighbours two sets of vectors share, on average."""
    found = [np.argsort(-set_[:queries] @ set_.T, axis=1)[:, 1:11] for set_ in (vectors, reference)]
    return float(np.mean([len(set(one) & set(other)) / 10 for one, other in zip(*found, strict=True)]))


def print_table(result: dict[str, Any]) -> None:
    """Print the table in Markdown."""
    stock_run = result["sides"].get("pyserini.encode")
    rates = ", ".join(f"{name} {rate:.0f} GFLOP/s" for name, rate in result["matrix_gflops_best"].items())
    print(
        f"{result['passages']:,} passages, {result['tokens']:,} tokens, {result['tflop']:.2f} TFLOP; "
        f"{result['threads']} threads; matrix products at best {rates}; "
        f"load {result['load'][0]:.1f} to {result['load'][1]:.1f}; medians of {result['repeats']}\n"
    )
    head = "side|whole s|steady s|passages/s|cpu s|steady cpu s|peak MB|× stock whole|× stock steady"
    columns = [*head.split("|"), "× stock steady cpu", "use", "cpu use", "diff", "top10"]
    print("| " + " | ".join(columns) + " |\n" + "|---" * len(columns) + "|")
    for side, run in result["sides"].items():
        base = stock_run or run
        gains = [base[key] / run[key] for key in ("whole", "steady", "steady_cpu")]
        cells = [f"{run[key]:.1f}" for key in ("whole", "steady", "cpu", "steady_cpu")]
        cells.insert(2, f"{(result['passages'] - FEW) / run['steady']:.1f}")
        cells += [f"{run['peak']:.0f}", *(f"{gain:.2f}" for gain in gains)]
        cells += [f"{run[key]:.0%}" if key in run else "" for key in ("use", "cpu_use")]
        cells += [f"{run.get('diff', 0):.1e}", f"{run.get('top10', 1):.3f}"]
        print("| " + " | ".join([side, *cells]) + " |")


if __name__ == "__main__":
    main()
