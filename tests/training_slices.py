"""Small training folders, and recipes that go through every stage on them in a minute."""

import gzip
import itertools
import json

SOURCES = (
    "queries",
    "code_switched_queries",
    "questions",
    "sentences",
    "lexicon",
    "names",
    "crops",
    "code_switched_crops",
)
EVERY_STAGE = f"""
name = "qgdr-every-stage"
description = "A tiny encoder, by every stage of the method"
seed = 5
holdout = 0.1
iterations = 2

[data]
limit_per_language = 5
unlabelled_per_language = 1

[vocabulary]
size = 6000
lines_per_language = 200

[student]
dimension = 32
query_max_length = 32
passage_max_length = 64

[pairs.sources]
{chr(10).join(f"{name} = {{ weight = 1.0, batch_size = 32 }}" for name in SOURCES)}

[pretraining]
steps = 20
learning_rate = 5e-3
temperature = 0.05
save_steps = 5

[negatives]
negatives = 5
depth = 20

[warmup]
steps = 6
batch_size = 8
candidates = 4
learning_rate = 1e-3
contrastive_temperature = 0.05
save_steps = 2

[teacher]
kind = "query-generator"
from_student = true
reads = "english"
batch_size = 16

[teacher.source]
tokenizer = "student"

[teacher.source.configuration]
model_type = "t5"
d_model = 32
d_kv = 8
d_ff = 48
num_heads = 4
num_layers = 1
num_decoder_layers = 1

[teacher.generator]
query_max_length = 12
passage_max_length = 48

[teacher.translation]
steps = 6
batch_size = 8
learning_rate = 1e-3
save_steps = 2

[teacher.generation]
steps = 6
batch_size = 8
learning_rate = 1e-3
save_steps = 2

[teacher.ranking]
steps = 6
batch_size = 4
candidates = 4
learning_rate = 1e-3
save_steps = 2

[generation]
source = "both"
languages = ["de", "ru"]
languages_per_query = 1

[combination]

[distillation]
steps = 6
batch_size = 8
candidates = 4
learning_rate = 1e-3
student_temperature = 0.05
alpha = 1.0
beta = 0.5
contrastive_temperature = 0.05
save_steps = 2

[distillation.alignment]
threshold = -1.0

[distillation.replay]
batch_size = 16
"""


def cut(source, target, passages=400, rows=1500):
    """Cut a slice out of a training folder: every n-th passage, their queries, every n-th translation."""
    target.mkdir()
    every = [json.loads(line) for line in _lines(source / "passages.jsonl.gz")]
    kept = {row["docid"]: row for row in every[:: len(every) // passages]}
    queries = (json.loads(line) for line in _lines(source / "queries.jsonl.gz"))
    _write(target / "passages.jsonl.gz", map(json.dumps, kept.values()))
    _write(target / "queries.jsonl.gz", (json.dumps(row) for row in queries if row["docid"] in kept))
    for name in ("question-translations", "sentences", "lexicon", "names"):
        found = list(_lines(source / f"{name}.tsv.gz"))
        _write(target / f"{name}.tsv.gz", itertools.islice(found, 0, None, len(found) // rows))
    return target


def _lines(path):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from (line.rstrip("\n") for line in file)


def _write(path, lines):
    with gzip.open(path, "wt", encoding="utf-8", compresslevel=1) as file:
        file.writelines(line + "\n" for line in lines)
