"""SQuAD: English questions about English paragraphs.

Rajpurkar et al. (2016, 2018). Layout: ``train-v1.1.json``, ``dev-v1.1.json``, ``train-v2.0.json`` and
``dev-v2.0.json`` of SQuAD-explorer, or the hub's Parquet files. v2.0 has v1.1's questions, and others that
their paragraph does not answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from qgdr_pyserini.collection import squad
from qgdr_pyserini.collection.training_set import TrainingPassage, TrainingQuery
from qgdr_pyserini.collection.training_sources.base import OnHub, Row, register, split_of

FILES = ("*.json", "*.json.gz", "*.parquet")


@register(
    "squad",
    files=FILES,
    origin="https://github.com/rajpurkar/SQuAD-explorer/tree/gh-pages/dataset",
    tag="squad-dev",
    hub=(OnHub("rajpurkar/squad", ("*.parquet",)), OnHub("rajpurkar/squad_v2", ("*.parquet",))),
)
def read_squad(files: Sequence[Path]) -> Iterator[Row]:
    """Read SQuAD, v1.1 before v2.0.

    A paragraph is ``squad-N``, or ``squad-train-N``, counted over the articles in alphabetical order, so that
    the ids are the same in every edition; a question ``ID-en``.

    Raises
    ------
    InputError
        If a file is not in SQuAD's layout.
    """
    docids: dict[str, dict[str, str]] = {"train": {}, "dev": {}}
    asked: set[str] = set()
    for file in files:
        split = split_of(file)
        rows = sorted(read_rows(file), key=lambda row: row.title)
        known = docids[split]
        for row in rows:
            if row.context not in known:
                known[row.context] = f"squad-{'train-' if split == 'train' else ''}{len(known)}"
                yield TrainingPassage(
                    known[row.context], row.title.replace("_", " "), row.context, f"squad-{split}"
                )
        for row in rows:
            if row.qid not in asked:
                asked.add(row.qid)
                yield _query(row, known[row.context], f"squad-{split}")


def read_rows(file: Path) -> list[squad.Row]:
    """Read a file in SQuAD's JSON layout, or the hub's Parquet.

    Raises
    ------
    InputError
        If it is in neither.
    """
    return squad.read_squad_table(file) if file.suffix == ".parquet" else squad.read_squad_file(file)


def _query(row: squad.Row, docid: str, source: str) -> TrainingQuery:
    return TrainingQuery(
        # Editions differ in the order of the answers.
        f"{row.qid}-en",
        "en",
        row.question,
        docid,
        source,
        tuple(sorted(row.answers)),
        not row.answers,
    )
