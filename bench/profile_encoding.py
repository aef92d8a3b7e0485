"""Show where the encoding engine's time goes: products, attention, activations, the rest.

    python bench/profile_encoding.py --passages-file data/train/passages.jsonl.gz --passages 1024

Encodes passages, already turned into tokens, with the model of `bench/encode.py` under torch's profiler, once
before to warm up. Columns of the table: ``ms``, of the operators themselves, without what they call; ``part``
of all operators; ``GFLOP/s``, where the operations can be counted, padding left out. A GELU that oneDNN
applies inside its product counts as product. Below the table, the rate of matrix products before and after,
and the rate and use over the whole, whose clock also counts what happens between operators.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from pathlib import Path

import torch
from encode import add_passages, make_model, operations, read_texts
from torch.profiler import ProfilerActivity, profile

from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.inference.batching import BatchEncoder, automatic_batch_tokens
from qgdr_pyserini.model.inference.precision import matrix_rate, set_precision

CPU = torch.device("cpu")
PARTS = {
    "products": ("linear_pointwise", "addmm", "aten::mm"),
    "attention": ("scaled_dot_product", "softmax"),
    "GELU": ("gelu",),
    "LayerNorm": ("layer_norm",),
}
OTHER = "sums, copies and the rest"


def main() -> None:
    """Profile, and print the table."""
    arguments = parse()
    with tempfile.TemporaryDirectory() as folder:
        texts = read_texts(arguments.passages_file, arguments.passages)
        model = DualEncoder.from_pretrained(make_model(Path(folder), texts))
    set_precision(model, arguments.precision)
    tokens = model.passage_tokens(texts)
    milliseconds, seconds, rates = measure(model, tokens, arguments.precision)
    print_table(milliseconds, operations([len(text) for text in tokens]), seconds, rates)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_passages(parser, 1024)
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    return parser.parse_args()


def measure(
    model: DualEncoder, tokens: list[list[int]], precision: str
) -> tuple[Counter[str], float, list[float]]:
    """Encode twice; give the second time's milliseconds by part, seconds, and rates before and after."""
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    engine = BatchEncoder(model, automatic_batch_tokens(CPU))
    engine.encode(tokens, lambda count: None)
    rates = [matrix_rate(dtype, CPU, rows=2048, repeats=30)]
    with profile(activities=[ProfilerActivity.CPU]) as found:
        started = time.perf_counter()
        engine.encode(tokens, lambda count: None)
        seconds = time.perf_counter() - started
    rates.append(matrix_rate(dtype, CPU, rows=2048, repeats=30))
    milliseconds: Counter[str] = Counter()
    for event in found.key_averages():
        milliseconds[part(event.key)] += event.self_cpu_time_total / 1000
    return milliseconds, seconds, rates


def part(operator: str) -> str:
    """Tell which part of the model an operator belongs to."""
    return next((name for name, words in PARTS.items() if any(word in operator for word in words)), OTHER)


def print_table(
    milliseconds: Counter[str], counted: dict[str, float], seconds: float, rates: list[float]
) -> None:
    """Print the table in Markdown, and the rates."""
    total = sum(milliseconds.values())
    print("| part | ms | part of all | GFLOP/s |\n|---|---|---|---|")
    for name, spent in milliseconds.most_common():
        rate = f"{counted[name] / spent / 1e6:.0f}" if name in counted else ""
        print(f"| {name} | {spent:.0f} | {spent / total:.1%} | {rate} |")
    whole = sum(counted.values()) / seconds
    known = " and ".join(f"{rate / 1e9:.0f}" for rate in rates)
    print(f"\nmatrix products before and after: {known} GFLOP/s")
    print(f"whole: {seconds:.1f} s, {whole / 1e9:.0f} GFLOP/s, {whole / max(rates):.0%} of the better rate")


if __name__ == "__main__":
    main()
