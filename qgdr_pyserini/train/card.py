"""The model card: what an encoder was made of, from what really happened in training."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qgdr_pyserini import __version__
from qgdr_pyserini.collection.training_set import Source, find_source
from qgdr_pyserini.files import atomic_text
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.train.card_metadata import CARD, FEWEST_QUERIES, RECORD, card_metadata, with_metadata
from qgdr_pyserini.train.card_teacher import combination_table, known_as, teacher_points, teacher_table
from qgdr_pyserini.train.combination import OWN
from qgdr_pyserini.train.curves import draw_curves
from qgdr_pyserini.train.data import TrainingData
from qgdr_pyserini.train.recipe import Recipe
from qgdr_pyserini.train.stages import Done

CURVES = "training.svg"


@dataclasses.dataclass(frozen=True, slots=True)
class Training:
    """What happened in a training run.

    Parameters
    ----------
    recipe
        Its settings.
    data
        What it learned from.
    encoder
        What it made, as saved.
    stages
        Complete stages, in order.
    recall
        Recall@cutoff of held-out queries by language, over all passages.
    cutoff
        Of that recall.
    """

    recipe: Recipe
    data: TrainingData
    encoder: DualEncoder
    stages: Sequence[Done]
    recall: dict[str, float]
    cutoff: int


def write_card(folder: Path, training: Training) -> None:
    """Write ``README.md``, every setting and figure as ``training.json``, and the loss curves."""
    curves = draw_curves(training.stages, folder / CURVES)
    record = _record(training)
    with atomic_text(folder / CARD) as file:
        file.write(with_metadata(card_metadata(record), _text(training, curves)))
    with atomic_text(folder / RECORD) as file:
        json.dump(record, file, indent=1, ensure_ascii=False)
        file.write("\n")


def _record(training: Training) -> dict[str, Any]:
    return {
        "qgdr_pyserini": __version__,
        "recipe": training.recipe.model_dump(),
        "data": {
            "digest": training.data.digest,
            "queries": dict(sorted(Counter(row.lang for row in training.data.rows).items())),
            "distilled": len(training.data.distilled),
            "unlabelled": len(training.data.unlabelled),
            "sources": training.data.sources,
        },
        "held_out": {f"recall@{training.cutoff}": training.recall, "queries": _held_out(training)},
        "stages": {stage.name: stage.record for stage in training.stages},
    }


def _text(training: Training, curves: bool) -> str:
    recipe, encoder = training.recipe, training.encoder
    picture = f"\n![Loss over steps, by stage]({CURVES})\n" if curves else ""
    return f"""# {recipe.name}

{recipe.description}: a question in another language finds English passages.

- **Model**: {_model(training)}; {encoder.dimension} dimensions, {encoder.config.pooling} pooling,
  {_scale(encoder)}.
{teacher_points(recipe, training.stages)}
- **Input**: questions up to {encoder.config.query_max_length} subwords; passages, `title\\ntext`, up to
  {encoder.config.passage_max_length}. {_prefixes(encoder)}
- **Languages of the questions seen in training**: {", ".join(training.data.languages)}.
- **Licence**: {recipe.licence}.

```bash
python -m pyserini.search.faiss --encoder {recipe.name} --index indexes/xquad.qgdr \\
  --topics collections/xquad/topics.de.tsv --output runs/xquad.qgdr.de.txt --hits 100
```

## Training

By `qgdr train {recipe.name}`, seed {recipe.seed}; every setting is in `recipe.toml`, logs and counts are in
`training.json`.

| stage | what | seconds |
|---|---|---|
{_stage_table(training.stages)}
{picture}
{_queries(training)}

| data | rows | source | licence |
|---|---|---|---|
{_data_table(training.data)}
{teacher_table(recipe, training.stages)}{combination_table(training.stages)}{_held_out_section(training)}"""


def _model(training: Training) -> str:
    config = training.encoder.model.config
    layers = getattr(config, "num_hidden_layers", None)
    student = training.recipe.student
    vocabulary = f" and a vocabulary of {config.vocab_size:,} subwords" if student.prune else ""
    return (
        f"{config.model_type} of {layers} layers{vocabulary}, trained from `{known_as(student.checkpoint)}`"
    )


def _prefixes(encoder: DualEncoder) -> str:
    query, passage = encoder.config.query_prefix, encoder.config.passage_prefix
    if not query and not passage:
        return "No prefixes."
    return f"Commands put `{query}` before questions and `{passage}` before passages by themselves."


def _scale(encoder: DualEncoder) -> str:
    return "unit length (the inner product is the cosine)" if encoder.config.normalize else "inner product"


def _stage_table(stages: Sequence[Done]) -> str:
    return "\n".join(f"| {s.name} | {_summary(s.record)} | {s.record['seconds']:,.0f} |" for s in stages)


def _summary(record: dict[str, Any]) -> str:
    parts = []
    if log := record.get("log"):
        ends = [f"{row['loss']:.3f} at step {int(row['step']):,}" for row in (log[0], log[-1])]
        parts.append(f"loss {' → '.join(ends)}")
    parts += [f"{record[key]:,} {name}" for key, name in _COUNTS.items() if record.get(key)]
    if record.get("given"):
        parts.append("nothing is searched")
    if "languages" in record:
        parts.append(f"in {len(record['languages'])} languages")
    if english := sum(record.get("read_in_english", {}).values()):
        parts.append(f"{english:,} of them read in English")
    if "candidates" in record:
        accuracy = ", ".join(f"{who} {record[who].get('all', 0):.3f}" for who in OWN[::-1] if who in record)
        parts.append(f"held-out positive put first among {record['candidates']}: {accuracy}")
    if "weights" in record:
        parts.append(f"weights: {', '.join(f'{k} {v:.4g}' for k, v in record['weights'].items())}")
    if "share" in record:
        parts.append(f"{record['share']:g} of {record['after']}'s weights, the rest of those before it")
    if "checkpoint" in record:
        parts.append(f"`{known_as(record['checkpoint'])}`")
    return "; ".join(parts)


_COUNTS = {
    "passages": "passages",
    "queries": "queries",
    "generated": "aligned queries",
    "subwords": "subwords",
}


def _queries(training: Training) -> str:
    recipe, teacher = training.recipe, training.recipe.teacher
    count, distilled = len(training.data.rows), len(training.data.distilled)
    unlabelled = len(training.data.unlabelled)
    without = f", {unlabelled:,} of them without a passage" if unlabelled else ""
    taught = teacher is not None and bool(teacher.generation or teacher.ranking)
    first = [name for name, learns in (("warm-up", recipe.warmup), ("teacher", taught)) if learns]
    parts = [f"{count:,} in {' and '.join(first)}"] if first else []
    parts += [f"{distilled:,} in the iterations{without}"] if recipe.distillation else []
    return f"Queries learned from: {', '.join(parts) or f'{count:,}'}."


def _data_table(data: TrainingData) -> str:
    lines = []
    for part, tag, rows in data.sources:
        source = find_source(tag) or Source(tag, "", "unknown")
        where = f" ({source.where})" if source.where else ""
        lines.append(f"| {part} | {rows:,} | {source.name}{where} | {source.licence} |")
    return "\n".join(lines)


def _held_out_section(training: Training) -> str:
    counts = _held_out(training)
    rows = "\n".join(
        f"| {lang} | {counts[lang]:,} | {recall:.3f} |"
        for lang, recall in training.recall.items()
        if counts[lang] >= FEWEST_QUERIES
    )
    if not rows:
        return ""
    return f"""
## Measured on held-out articles

Recall@{training.cutoff} over {_pool(training)}, for queries about articles that were kept from training
({training.recipe.holdout:.0%} of the titles); languages with at least {FEWEST_QUERIES} such queries.

| language | queries | recall@{training.cutoff} |
|---|---|---|
{rows}
"""


def _pool(training: Training) -> str:
    others = training.recipe.data.pool
    return f"their own passages and {others:,} others" if others else "all passages"


def _held_out(training: Training) -> dict[str, int]:
    return dict(sorted(Counter(row.lang for row in training.data.held_out).items()))
