"""Time a query generator's scoring against pair-by-pair batches of the same model.

    python bench/teacher_scoring.py --data DIR [--output teacher_scoring.json]

DIR is the folder of evaluation data (``xquad/``, ``squad/``): 8 parallel questions in each of 4
languages are scored against 64 paragraphs. Each method runs in processes of its own, one after
the other and alternating, so that its peak memory is its own and a busy machine hits both.
The weights are random: time and memory do not depend on them.
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
# Layers, dimension, feed-forward, heads, vocabulary.
SHAPES = {
    "from-scratch": (6, 256, 1024, 4, 32_000),
    "mt5-small": (8, 512, 1024, 6, 250_112),
}


def main() -> None:
    """Run both methods in turn and print a table."""
    arguments = _arguments()
    if arguments.method:
        _measure(arguments)
        return
    rows = {shape: _compare(arguments, shape) for shape in arguments.shapes}
    report = {"machine": _machine(arguments.threads), "rounds": arguments.rounds, "shapes": rows}
    if arguments.output:
        Path(arguments.output).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    languages, machine = ", ".join(LANGUAGES), report["machine"]
    print(f"{QUERIES} queries in {languages} against {arguments.passages} passages; {machine}")
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
    with tempfile.TemporaryDirectory() as model:
        # Saved once: learning a vocabulary twice need not give the same one.
        command = [sys.executable, __file__, "--data", arguments.data, "--threads", str(arguments.threads)]
        command += ["--model", model, "--passages", str(arguments.passages)]
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
    queries, passages = _texts(Path(arguments.data), arguments.passages)
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
            prompts = [generator.tokenize_prompts([p], q.language)[0] for q, p in batch]
            targets = generator.tokenize_queries([q.text for q, _ in batch])
            longest = max(map(len, targets))
            labels = torch.tensor([row + [-100] * (longest - len(row)) for row in targets])
            scores.append(generator(generator.pad(prompts), labels))
    return torch.cat(scores)


METHODS: dict[str, Callable[..., Any]] = {"shared": _shared, "pair by pair": _pair_by_pair}


def _texts(data: Path, count: int) -> tuple[list[Any], list[Any]]:
    """Read the first questions of each language, and paragraphs, the questions' own among them."""
    from qgdr_pyserini.collection.corpus import Passage
    from qgdr_pyserini.model.teacher import Query

    queries, passages = [], []
    for language in LANGUAGES:
        articles = json.loads((data / f"xquad/xquad.{language}.json").read_text(encoding="utf-8"))["data"]
        questions = [qa["question"] for a in articles for p in a["paragraphs"] for qa in p["qas"]]
        queries += [Query(question, language) for question in questions[:QUERIES]]
    for article in json.loads((data / "squad/dev-v1.1.json").read_text(encoding="utf-8"))["data"]:
        title = article["title"].replace("_", " ")
        passages += [Passage(str(i), title, p["context"]) for i, p in enumerate(article["paragraphs"])]
    return queries, passages[:count]


def _generator(shape: str, texts: list[str]) -> Any:
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
    from transformers import MT5Config, MT5ForConditionalGeneration, PreTrainedTokenizerFast

    from qgdr_pyserini.model.query_generator import GeneratorSettings
    from qgdr_pyserini.model.seq2seq_generator import Seq2SeqGenerator

    layers, dimension, feed_forward, heads, vocabulary = SHAPES[shape]
    tokenizer = Tokenizer(models.WordPiece(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["<pad>", "</s>", "<unk>"]
    trainer = trainers.WordPieceTrainer(vocab_size=8000, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )
    torch.manual_seed(0)
    config = MT5Config(
        vocab_size=vocabulary,
        d_model=dimension,
        d_ff=feed_forward,
        num_layers=layers,
        num_heads=heads,
        d_kv=64,
        decoder_start_token_id=0,
    )
    return Seq2SeqGenerator(MT5ForConditionalGeneration(config), wrapped, GeneratorSettings()).eval()


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
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=["from-scratch"])
    parser.add_argument("--method", choices=[*METHODS, "make"], help=argparse.SUPPRESS)
    parser.add_argument("--model", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
