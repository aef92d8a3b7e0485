"""Compare precisions by what they change: vectors, nearest passages, and recall.

Passages are encoded in fp32 and in the precisions named; questions in fp32, as a search encodes them. All in
one process, on the CPU.

    qgdr collection build xquad --source data --output collections/xquad
    python bench/precisions.py --collection collections/xquad --precisions bf16 int8

Columns of the table: ``cosine``, mean and least, of a passage's vector with that in fp32; ``top 10``, the
part of a question's ten nearest passages that is the same as in fp32, over all questions; then recall@10 by
language, with fp32 in the first row. On stderr: what int8 keeps in fp32, or why it is refused.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

from qgdr_pyserini.collection.corpus import Passage, read_corpus
from qgdr_pyserini.collection.topics import read_topics
from qgdr_pyserini.collection.trec import Qrels, read_qrels
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.dual_encoder import DualEncoder, Vectors
from qgdr_pyserini.model.inference.devices import encode_passages
from qgdr_pyserini.model.inference.precision import lay_out, set_precision
from qgdr_pyserini.model.inference.quantization import CALIBRATION_PASSAGES, Quantization, calibrate

HITS = 10


def main() -> None:
    """Encode, compare, print the table."""
    arguments = parse()
    passages = list(read_corpus(arguments.collection / "corpus.jsonl"))[: arguments.passages]
    exact = lay_out(DualEncoder.from_pretrained(arguments.encoder))
    questions = read_questions(arguments.collection, arguments.languages)
    asked = {language: exact.encode_queries(list(texts.values())) for language, texts in questions.items()}
    reference = encode_passages([exact], passages)
    qrels = read_qrels(arguments.collection / "qrels.txt")
    ids = [passage.docid for passage in passages]
    print("| precision | cosine, mean | least | top 10 | " + " | ".join(questions) + " |")
    print("|---" * (4 + len(questions)) + "|")
    for precision in ("fp32", *arguments.precisions):
        vectors = reference if precision == "fp32" else encode_in(precision, arguments.encoder, passages)
        cosines = (
            (vectors * reference).sum(1) / np.linalg.norm(vectors, axis=1) / np.linalg.norm(reference, axis=1)
        )
        found = {language: nearest(asked[language], vectors) for language in questions}
        same = np.mean([shared(found[one], nearest(asked[one], reference)) for one in questions])
        recalls = [recall(found[one], list(questions[one]), ids, qrels) for one in questions]
        cells = [
            f"{cosines.mean():.5f}",
            f"{cosines.min():.4f}",
            f"{same:.3f}",
            *(f"{one:.4f}" for one in recalls),
        ]
        print("| " + " | ".join([precision, *cells]) + " |", flush=True)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--collection", type=Path, required=True, help="what 'qgdr collection build' made")
    parser.add_argument("--encoder", default="qgdr")
    parser.add_argument("--precisions", nargs="+", choices=["bf16", "int8"], default=["bf16", "int8"])
    parser.add_argument("--languages", nargs="+", default=["de", "zh", "ar", "es", "ru"])
    parser.add_argument("--passages", type=int, help="only so many, for a look")
    return parser.parse_args()


def read_questions(collection: Path, languages: list[str]) -> dict[str, dict[str, str]]:
    """Read the questions of some languages."""
    return {language: read_topics(collection / f"topics.{language}.tsv") for language in languages}


def encode_in(precision: str, encoder: str, passages: list[Passage]) -> Vectors:
    """Encode passages in a precision, int8 with the layers kept that encode-corpus would keep."""
    model = DualEncoder.from_pretrained(encoder)
    set_precision(model, precision, choose_layers(model, passages) if precision == "int8" else None)
    return encode_passages([model], passages)


def choose_layers(model: DualEncoder, passages: list[Passage]) -> Quantization:
    """Decide which layers stay in fp32; end here where int8 is refused."""
    first = passages[:CALIBRATION_PASSAGES]
    try:
        found, loss = calibrate(
            model, model.passage_tokens([one.text for one in first], [one.title for one in first])
        )
    except QgdrError as error:
        sys.exit(str(error))
    print(f"int8: {found}, loss {loss:.2e}", file=sys.stderr)
    return found


def nearest(questions: Vectors, passages: Vectors) -> torch.Tensor:
    """Return the rows of each question's nearest passages, ``(questions, HITS)``."""
    return (torch.from_numpy(questions) @ torch.from_numpy(passages).T).topk(HITS).indices


def shared(found: torch.Tensor, reference: torch.Tensor) -> float:
    """Tell which part of the nearest passages is the same, on average."""
    return float((found[:, :, None] == reference[:, None, :]).any(2).float().mean())


def recall(found: torch.Tensor, qids: list[str], ids: list[str], qrels: Qrels) -> float:
    """Tell for which part of the questions a relevant passage was found."""
    hits = (
        any(qrels[qid].get(ids[row], 0) > 0 for row in rows)
        for qid, rows in zip(qids, found.tolist(), strict=True)
    )
    return float(np.mean(list(hits)))


if __name__ == "__main__":
    main()
