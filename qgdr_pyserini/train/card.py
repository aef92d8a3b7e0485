"""The model card: what an encoder was made of, from what really happened in training."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from qgdr_pyserini import __version__
from qgdr_pyserini.collection.sources import Source, find_source
from qgdr_pyserini.collection.training_set import TrainingQuery, TrainingSet
from qgdr_pyserini.files import atomic_text
from qgdr_pyserini.train.recipe import Recipe

# A recall over fewer queries says little.
_FEWEST_QUERIES = 50


@dataclasses.dataclass(frozen=True, slots=True)
class Training:
    """What happened in a training run.

    Parameters
    ----------
    recipe
        Its settings.
    data
        What it learned from.
    searched
        Number of passages that held-out queries are searched in.
    log
        The Trainer's rows: step, loss, learning rate.
    held_out
        Queries kept from training.
    recall
        Recall@cutoff of these by language, over all passages.
    cutoff
        Of that recall.
    """

    recipe: Recipe
    data: TrainingSet
    searched: int
    log: Sequence[dict[str, float]]
    held_out: Sequence[TrainingQuery]
    recall: dict[str, float]
    cutoff: int


def write_card(folder: Path, training: Training) -> None:
    """Write the card as ``README.md``, and every setting and figure as ``training.json``."""
    with atomic_text(folder / "README.md") as file:
        file.write(_card(training))
    with atomic_text(folder / "training.json") as file:
        json.dump(_record(training), file, indent=1, ensure_ascii=False)
        file.write("\n")


def _record(training: Training) -> dict[str, Any]:
    return {
        "qgdr_pyserini": __version__,
        "recipe": training.recipe.model_dump(),
        "data": training.data.counts(),
        "held_out": {f"recall@{training.cutoff}": training.recall, "queries": _by_language(training)},
        "log": list(training.log),
    }


def _card(training: Training) -> str:
    recipe, student = training.recipe, training.recipe.student
    return f"""---
license: cc-by-sa-4.0
pipeline_tag: sentence-similarity
library_name: sentence-transformers
tags: [cross-lingual-retrieval, pyserini, qgdr]
---

# {recipe.name}

{recipe.description}: a question in another language finds English passages.

- **Model**: a bag of {recipe.vocabulary.size:,} subword vectors with learned weights, stored as a BERT
  without layers; {student.dimension} dimensions, mean pooling, unit length (the inner product is the
  cosine). Word order has no influence.
- **Input**: questions up to {student.query_max_length} subwords; passages, `title\\ntext`, up to
  {student.passage_max_length}. No prefixes. Text is lower-cased and Latin and Arabic marks are folded.
- **Languages seen in training**: {_languages(training.data)}.
- **Licence**: CC BY-SA 4.0, because of the data it was trained on (below).

```bash
python -m pyserini.search.faiss --encoder {recipe.name} --index indexes/xquad.qgdr \\
  --topics collections/xquad/topics.de.tsv --output runs/xquad.qgdr.de.txt --hits 100
```

## Training

Contrastive training from scratch, {recipe.contrastive.steps:,} steps, by `qgdr train {recipe.name}`; every
setting is in `recipe.toml`, the loss curve and all counts are in `training.json`.

| data | rows | source | licence |
|---|---|---|---|
{_data_table(training.data)}

## Measured on held-out articles

Recall@{training.cutoff} over all {training.searched:,} training and held-out passages, for queries about
articles that were kept from training ({recipe.holdout:.0%} of the titles); languages with at least
{_FEWEST_QUERIES} such queries.

| language | queries | recall@{training.cutoff} |
|---|---|---|
{_recall_table(training)}
"""


def _languages(data: TrainingSet) -> str:
    rows = (data.queries, data.questions, data.sentences, data.lexicon, data.names)
    return ", ".join(sorted({row.lang for part in rows for row in part}))


def _data_table(data: TrainingSet) -> str:
    parts: list[tuple[str, Iterable[str]]] = [
        ("passages", (row.source for row in data.passages.values())),
        ("queries", (row.source for row in data.queries)),
        ("translated questions", (row.source for row in data.questions)),
        ("sentences", (row.source for row in data.sentences)),
        ("lexicon", (row.source for row in data.lexicon)),
        ("names", (row.source for row in data.names)),
    ]
    lines = []
    for part, tags in parts:
        for tag, rows in sorted(Counter(tags).items()):
            source = find_source(tag) or Source(tag, "", "unknown")
            where = f" ({source.where})" if source.where else ""
            lines.append(f"| {part} | {rows:,} | {source.name}{where} | {source.licence} |")
    return "\n".join(lines)


def _recall_table(training: Training) -> str:
    counts = _by_language(training)
    return "\n".join(
        f"| {lang} | {counts[lang]:,} | {recall:.3f} |"
        for lang, recall in training.recall.items()
        if counts[lang] >= _FEWEST_QUERIES
    )


def _by_language(training: Training) -> dict[str, int]:
    return dict(sorted(Counter(row.lang for row in training.held_out).items()))
