"""Measure what distillation and alignment add, on a fixed slice of the training data.

    python bench/distillation.py --data DIR --output DIR [--seeds 1 2 3]

``--data`` holds ``train/``, ``xquad/`` and ``squad/``. The recipes qgdr-contrastive,
qgdr-cross-encoder, qgdr-generator and qgdr-alignment are trained with each seed; they start from one
encoder (``--start``), have the same queries, negatives, steps and batches, and differ in teacher and
losses. Teachers and their scores are made once and shared. What is printed is recall@10 on XQuAD by
exact search, and how well teacher and student re-rank held-out queries. A run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

RECIPES = ("qgdr-contrastive", "qgdr-cross-encoder", "qgdr-generator", "qgdr-alignment")
LANGUAGES = ("ar", "de", "es", "ru", "zh")
CUTOFF = 10


def main() -> None:
    """Train, measure, print."""
    arguments = _arguments()
    output = Path(arguments.output)
    runs: dict[str, list[Path]] = {}
    for seed in arguments.seeds:
        for recipe in arguments.recipes:
            runs.setdefault(recipe, []).append(_train(recipe, seed, arguments, output))
    collection = _collection(Path(arguments.data), output / "xquad")
    figures = {"start": [_recall(arguments.start, collection)]}
    figures |= {
        recipe: [_recall(str(run / "encoder"), collection) for run in made] for recipe, made in runs.items()
    }
    checks = {recipe: check for recipe, made in runs.items() if (check := _check(made[0]))}
    report = {"seeds": arguments.seeds, "recall@10": figures, "re-ranking": checks}
    (output / "distillation.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    _print(figures, checks)


def _train(recipe: str, seed: int, arguments: argparse.Namespace, output: Path) -> Path:
    """Train unless it is done; take equal stages from the runs before."""
    run = output / f"{recipe}-{seed}"
    if not (run / "encoder").exists():
        command = [sys.executable, "-m", "qgdr_pyserini", "train", recipe, "--resume"]
        command += ["--data", str(Path(arguments.data) / "train"), "--output", str(run)]
        command += ["--set", f"student.checkpoint={arguments.start}"]
        command += ["--set", f"seed={seed}", *(x for item in arguments.set for x in ("--set", item))]
        others = sorted(path for path in output.glob("qgdr-*") if path != run)
        command += [x for other in others for x in ("--reuse", str(other))]
        subprocess.run(command, check=True)
    return run


def _collection(data: Path, folder: Path) -> Path:
    if not folder.exists():
        command = [sys.executable, "-m", "qgdr_pyserini", "collection", "build", "xquad"]
        subprocess.run([*command, "--source", str(data), "--output", str(folder)], check=True)
    return folder


def _recall(name: str, collection: Path) -> dict[str, float]:
    """Measure recall@10 by language, by exact search."""
    import torch

    from qgdr_pyserini.collection.corpus import read_corpus
    from qgdr_pyserini.collection.topics import read_topics
    from qgdr_pyserini.evaluate.trec import read_qrels
    from qgdr_pyserini.model.dual_encoder import DualEncoder
    from qgdr_pyserini.model.registry import find_encoder

    encoder = DualEncoder.from_pretrained(find_encoder(name))
    corpus = list(read_corpus(collection / "corpus.jsonl"))
    passages = torch.from_numpy(encoder.encode_passages([p.text for p in corpus], [p.title for p in corpus]))
    qrels = read_qrels(collection / "qrels.txt")
    found = {}
    for language in (*LANGUAGES, "en"):
        topics = read_topics(collection / f"topics.{language}.tsv")
        queries = torch.from_numpy(encoder.encode_queries(list(topics.values())))
        top = (queries @ passages.T).topk(CUTOFF).indices.tolist()
        hits = [
            any(qrels[qid].get(corpus[i].docid, 0) > 0 for i in places)
            for qid, places in zip(topics, top, strict=True)
        ]
        found[language] = sum(hits) / len(hits)
    return found | {"mean": statistics.mean(found[language] for language in LANGUAGES)}


def _check(run: Path) -> dict[str, Any] | None:
    file = run / "1-check-teacher" / "stage.json"
    return dict(json.loads(file.read_text(encoding="utf-8"))["record"]) if file.exists() else None


def _print(figures: Mapping[str, Sequence[Mapping[str, float]]], checks: Mapping[str, Any]) -> None:
    columns = (*LANGUAGES, "mean", "en")
    print(f"| recall@{CUTOFF} | {' | '.join(columns)} |")
    print(f"|---{'|---' * len(columns)}|")
    for name, rows in figures.items():
        print(f"| {name} | {' | '.join(_spread([row[column] for row in rows]) for column in columns)} |")
    print("\n| held-out queries, positive put first | teacher | student | candidates |\n|---|---|---|---|")
    for name, check in checks.items():
        teacher, student = check["teacher"]["all"], check["student"]["all"]
        print(f"| {name} | {teacher:.3f} | {student:.3f} | {check['candidates']} |")


def _spread(values: Sequence[float]) -> str:
    mean = f"{statistics.mean(values):.3f}"
    return mean if len(values) == 1 else f"{mean} ± {statistics.stdev(values):.3f}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", required=True, metavar="DIR")
    parser.add_argument("--output", required=True, metavar="DIR", help="Folder for all runs.")
    parser.add_argument("--start", default="qgdr-start", metavar="NAME|DIR", help="Encoder to start from.")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES))
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="Of every recipe.")
    return parser.parse_args()


if __name__ == "__main__":
    main()
