"""Time a query generator's scoring against pair-by-pair batches of the same model.

    python bench/teacher_scoring.py --data DIR [--output teacher_scoring.json] [--shapes causal]
    python bench/teacher_scoring.py --data DIR --checkpoint FOLDER

DIR is the folder of evaluation data (``xquad/``, ``squad/``): 8 parallel questions in each of 4
languages are scored against 64 paragraphs. Each method runs in processes of its own, one after
the other and alternating, so that its peak memory is its own and a busy machine hits both.
Weights are random unless a checkpoint is named: time and memory do not depend on them.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

LANGUAGES = ("ar", "de", "ru", "zh")
QUERIES, BATCH = 8, 16
# Passages encoded at a time, and megabytes for caches and for logits; more pays on a GPU, not on two cores.
BATCH_SIZE, MEMORY_MB = 8, 16
# Kind, layers, dimension, feed-forward, heads, vocabulary.
SHAPES = {
    "from-scratch": ("mt5", 6, 256, 1024, 4, 32_000),
    "mt5-small": ("mt5", 8, 512, 1024, 6, 250_112),
    "causal": ("qwen2", 6, 256, 1024, 4, 32_000),
}


def main() -> None:
    """Run both methods in turn and print a table."""
    arguments = _arguments()
    if arguments.method:
        _measure(arguments)
        return
    shapes = [arguments.checkpoint] if arguments.checkpoint else arguments.shapes
    rows = {shape: _compare(arguments, shape) for shape in shapes}
    report = {"machine": _machine(arguments.threads), "rounds": arguments.rounds, "shapes": rows}
    if arguments.output:
        Path(arguments.output).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    languages, machine = ", ".join(LANGUAGES), report["machine"]
    print(f"{arguments.questions} queries in {languages} against {arguments.passages} passages; {machine}")
    print("| model | method | seconds | CPU seconds | peak memory |")
    print("|---|---|---|---|---|")
    for shape, row in rows.items():
        for method in METHODS:
            seconds, cpu, peak = (row[method][key] for key in ("seconds", "cpu", "peak_mb"))
            print(f"| {shape} | {method} | {seconds:.1f} | {cpu:.1f} | {peak:,.0f} MB |")
        print(f"| {shape} | times less | {row['times_less_seconds']:.1f} | {row['times_less_cpu']:.1f} | |")
        print(f"{shape}: scores differ by at most {row['difference']:.1e}")


def _compare(arguments: argparse.Namespace, shape: str) -> dict[str, Any]:
    runs: dict[str, list[dict[str, Any]]] = {method: [] for method in METHODS}
    with tempfile.TemporaryDirectory() as made:
        command = [sys.executable, __file__, "--data", arguments.data, "--threads", str(arguments.threads)]
        command += ["--model", arguments.checkpoint or made, "--passages", str(arguments.passages)]
        command += ["--questions", str(arguments.questions)]
        if not arguments.checkpoint:
            # Saved once: learning a vocabulary twice need not give the same one.
            subprocess.run([*command, "--method", "make", "--shapes", shape], check=True)
        for _ in range(arguments.rounds):
            for method, found in runs.items():
                done = subprocess.run([*command, "--method", method], check=True, stdout=subprocess.PIPE)
                found.append(json.loads(done.stdout))
    row: dict[str, Any] = {
        method: {
            **{key: statistics.median(run[key] for run in found) for key in ("seconds", "cpu", "peak_mb")},
            "all_seconds": [run["seconds"] for run in found],
        }
        for method, found in runs.items()
    }
    ours, theirs = (runs[method][0]["scores"] for method in METHODS)
    row["difference"] = max(abs(a - b) for a, b in zip(ours, theirs, strict=True))
    for key in ("seconds", "cpu"):
        row[f"times_less_{key}"] = row["pair by pair"][key] / row["shared"][key]
    return row


def _measure(arguments: argparse.Namespace) -> None:
    """Score once, in this process, and print figures and scores as JSON."""
    import torch

    from qgdr_pyserini.model.loading import ModelSource
    from qgdr_pyserini.model.query_generator import QueryGenerator

    torch.set_num_threads(arguments.threads)
    queries, passages = _texts(Path(arguments.data), arguments.passages, arguments.questions)
    if arguments.method == "make":
        texts = [*(q.text for q in queries), *(p.text for p in passages)]
        _generator(arguments.shapes[0], texts).save_pretrained(arguments.model)
        return
    generator = QueryGenerator.load(
        ModelSource(checkpoint=arguments.model), batch_size=BATCH_SIZE, memory_mb=MEMORY_MB
    )
    METHODS[arguments.method](generator, queries[:1], passages[:1])  # what happens only once
    start, start_cpu = time.perf_counter(), time.process_time()
    scores = METHODS[arguments.method](generator, queries, passages)
    seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "cpu": cpu, "peak_mb": peak, "scores": scores.flatten().tolist()}))


def _shared(generator: Any, queries: Any, passages: Any) -> Any:
    return generator.score(queries, passages)


def _pair_by_pair(generator: Any, queries: Any, passages: Any) -> Any:
    """Score in padded batches of pairs, each with its prompt and query, through the plain model."""
    import torch

    pairs = [(query, passage) for query in queries for passage in passages]
    scores = []
    with torch.inference_mode():
        for start in range(0, len(pairs), BATCH):
            batch = pairs[start : start + BATCH]
            scores.append(generator(**generator.collate([q for q, _ in batch], [p for _, p in batch])))
    return torch.cat(scores)


METHODS: dict[str, Callable[..., Any]] = {"shared": _shared, "pair by pair": _pair_by_pair}


def _texts(data: Path, count: int, asked: int) -> tuple[list[Any], list[Any]]:
    """Read the first questions of each language, and paragraphs, the questions' own among them."""
    from qgdr_pyserini.collection.corpus import Passage
    from qgdr_pyserini.model.teacher import Query

    queries, passages = [], []
    for language in LANGUAGES:
        articles = json.loads((data / f"xquad/xquad.{language}.json").read_text(encoding="utf-8"))["data"]
        questions = [qa["question"] for a in articles for p in a["paragraphs"] for qa in p["qas"]]
        queries += [Query(question, language) for question in questions[:asked]]
    for article in json.loads((data / "squad/dev-v1.1.json").read_text(encoding="utf-8"))["data"]:
        title = article["title"].replace("_", " ")
        passages += [Passage(str(i), title, p["context"]) for i, p in enumerate(article["paragraphs"])]
    return queries, passages[:count]


def _generator(shape: str, texts: list[str]) -> Any:
    from tokenizers import ByteLevelBPETokenizer
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    # Byte-level as Qwen2's: AutoTokenizer makes one of that class, whatever was saved beside a Qwen2.
    tokenizer = ByteLevelBPETokenizer()
    special = ["<pad>", "</s>", "<unk>"]
    tokenizer.train_from_iterator(texts, vocab_size=8000, special_tokens=special, show_progress=False)
    if SHAPES[shape][0] == "mt5":
        end = TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
        tokenizer._tokenizer.post_processor = end
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer._tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )
    return _random(shape, wrapped)


def _random(shape: str, tokenizer: Any) -> Any:
    import torch
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, MT5Config, Qwen2Config

    from qgdr_pyserini.model.causal_generator import CausalGenerator
    from qgdr_pyserini.model.query_generator import GeneratorSettings
    from qgdr_pyserini.model.seq2seq_generator import Seq2SeqGenerator

    kind, layers, dimension, feed_forward, heads, vocabulary = SHAPES[shape]
    torch.manual_seed(0)
    if kind == "mt5":
        sizes = {"d_model": dimension, "d_ff": feed_forward, "num_layers": layers, "num_heads": heads}
        config = MT5Config(vocab_size=vocabulary, d_kv=64, decoder_start_token_id=0, **sizes)
        model = AutoModelForSeq2SeqLM.from_config(config)
        return Seq2SeqGenerator(model, tokenizer, GeneratorSettings()).eval()
    config = Qwen2Config(
        vocab_size=vocabulary,
        hidden_size=dimension,
        intermediate_size=feed_forward,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads // 2,
        eos_token_id=1,
    )
    return CausalGenerator(AutoModelForCausalLM.from_config(config), tokenizer, GeneratorSettings()).eval()


def _machine(threads: int) -> str:
    import torch
    import transformers

    versions = f"torch {torch.__version__}, transformers {transformers.__version__}"
    return f"{platform.machine()}, {threads} threads, {versions}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", required=True, metavar="DIR", help="Folder with xquad/ and squad/.")
    parser.add_argument("--output", metavar="FILE", help="Write all figures as JSON.")
    parser.add_argument("--rounds", type=int, default=3, help="Runs of each method.")
    parser.add_argument("--passages", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=["from-scratch", "causal"])
    parser.add_argument("--checkpoint", metavar="FOLDER", help="Time this one instead, such as a Qwen2.5.")
    parser.add_argument("--questions", type=int, default=QUERIES, help="In each language.")
    parser.add_argument("--method", choices=[*METHODS, "make"], help=argparse.SUPPRESS)
    parser.add_argument("--model", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
