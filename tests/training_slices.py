"""A recipe that goes through every stage in a minute, on the folder that `invented_towns` writes."""

import hub_layouts
from invented_towns import all_texts

_SOURCES = ("queries", "code_switched_queries", "questions", "sentences", "lexicon", "names")
_EVERY_STAGE = """
name = "qgdr-every-stage"
description = "A tiny encoder, by every stage of the method"
seed = 5
holdout = 0.1
iterations = 2

[data]
limit_per_language = 5
unlabelled_per_language = 1

[student]
checkpoint = "{student}"
query_max_length = 32
passage_max_length = 64

[pairs.sources]
{sources}

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
reads = "english"
batch_size = 16

[teacher.source]
checkpoint = "{teacher}"

[teacher.generator]
query_max_length = 12
passage_max_length = 48

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


def every_stage(folder, teacher=hub_layouts.mt5, **replaced):
    """Write ``folder/recipe.toml``, and beside it the checkpoints that student and teacher start from.

    Parameters
    ----------
    folder
        Is there already.
    teacher
        Of `hub_layouts`.
    replaced
        Lines that take the place of the recipe's own, by the name of the setting.
    """
    texts = list(all_texts())
    student = hub_layouts.xlm_roberta(folder / "student", 700, texts)
    sources = "\n".join(f"{name} = {{ weight = 1.0, batch_size = 32 }}" for name in _SOURCES)
    values = {"student": student, "teacher": teacher(folder / "teacher", texts=texts), "sources": sources}
    text = _EVERY_STAGE
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", str(value))
    lines = [
        next((new for name, new in replaced.items() if line.startswith(f"{name} =")), line)
        for line in text.splitlines()
    ]
    path = folder / "recipe.toml"
    path.write_text("\n".join(lines))
    return path
