"""What a model card says of the teacher: which it was, what was distilled, and how well it re-ranks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qgdr_pyserini.train.combination import CombinationSettings
from qgdr_pyserini.train.recipe import Recipe
from qgdr_pyserini.train.stages import Done
from qgdr_pyserini.train.teacher import KINDS, TeacherRecipe

_LESSONS = {"generation": "queries to write", "ranking": "hard negatives"}
_PARTNERS = {"twins": "twins", "generated": "generated queries", "both": "twins and generated queries"}


def teacher_points(recipe: Recipe, stages: Sequence[Done]) -> str:
    """Tell who taught, what was distilled, and by which losses, as points of a list.

    Parameters
    ----------
    recipe
        Its settings.
    stages
        Complete stages, in order: the last weights are those of the student that was saved.
    """
    weights: list[dict[str, float]] = [s.record["weights"] for s in stages if "weights" in s.record]
    points = {} if recipe.combination else {"Teacher": "none"}
    if recipe.teacher:
        points["Teacher"] = _teacher(recipe.teacher)
    if recipe.combination and weights:
        points["Distilled"] = _sum(recipe.combination, weights[-1])
    if recipe.distillation:
        points["Loss"] = _losses(recipe)
    return "\n".join(f"- **{name}**: {what}." for name, what in points.items())


def known_as(checkpoint: str) -> str:
    """Name a checkpoint as others know it: a folder's path is nobody else's."""
    folder = Path(checkpoint).expanduser()
    return folder.name if folder.exists() else checkpoint


def _teacher(teacher: TeacherRecipe) -> str:
    kind, source = KINDS[teacher.kind].title, teacher.source
    start = f"`{known_as(source.checkpoint)}`" if source else "from the student"
    lessons = [what for stage, what in _LESSONS.items() if getattr(teacher, stage)]
    added = " by low-rank additions" if teacher.lora else ""
    trained = f"trained{added} on {', '.join(lessons)}" if lessons else "untrained (zero-shot)"
    reads = ", which reads a question's English twin where there is one" if teacher.reads == "english" else ""
    return f"a {kind}, {start}, {trained}{reads}"


def _sum(settings: CombinationSettings, weights: dict[str, float]) -> str:
    others = {name: f" (`{known_as(checkpoint)}`)" for name, checkpoint in settings.others.items()}
    parts = " + ".join(f"{weights[name]:.4g}·{name}{others.get(name, '')}" for name in settings.scores)
    how = "given" if settings.weights else "fitted to held-out queries"
    before = "; the student is that of the iteration before" if "student" in settings.scores else ""
    return f"{parts}, raw scores by weights {how}{before}"


def _losses(recipe: Recipe) -> str:
    settings = recipe.distillation
    assert settings is not None
    weights = {
        "L_KD": settings.kd,
        f"L_A (with {_PARTNERS[recipe.generation.source]})": settings.alpha,
        "L_contrastive": settings.beta,
        "L_replay": settings.replay.weight if settings.replay else 0,
        "L_hold": settings.anchor.hold if settings.anchor else 0,
    }
    still = "; passages stand where the student before had them" if settings.anchor else ""
    return " + ".join(f"{weight:g}·{name}" for name, weight in weights.items() if weight) + still


def teacher_table(recipe: Recipe, stages: Sequence[Done]) -> str:
    """Compare teacher and student as re-rankers; empty where they were not compared."""
    checked = [stage.record for stage in stages if "teacher" in stage.record]
    if not checked:
        return ""
    record = checked[-1]
    rows = "\n".join(
        f"| {lang} | {value:.3f} | {record['student'][lang]:.3f} |"
        for lang, value in record["teacher"].items()
    )
    english = recipe.teacher is not None and recipe.teacher.reads == "english"
    reading = " Both read the query's English twin where there is one." if english else ""
    return f"""
## Teacher and student as re-rankers

How often the positive of a held-out query is put above all of its {record["candidates"] - 1} negatives, which
the student of the iteration before retrieved ({record["queries"]:,} queries).{reading}

| language | teacher | student |
|---|---|---|
{rows}
"""


def combination_table(stages: Sequence[Done]) -> str:
    """Compare scores with their sum; empty where nothing was summed or held out."""
    weighed = [stage.record for stage in stages if "first" in stage.record]
    if not weighed:
        return ""
    record = weighed[-1]
    names = list(record["first"])
    rows = "\n".join(
        f"| {lang} | {' | '.join(_pair_of(record, name, lang) for name in names)} |"
        for lang in record["first"][names[0]]
    )
    weights = ", ".join(f"{name} {weight:.4g}" for name, weight in record["weights"].items())
    return f"""
## Scores added up

What is distilled is a weighted sum of scores ({weights}). How often each puts the positive of a held-out
query first, and the negative log-likelihood of the positive, each score alone at its best scale
({record["questions"]:,} queries, the same that fitted weights were fitted to).

| language | {" | ".join(names)} |
|---{"|---" * len(names)}|
{rows}
"""


def _pair_of(record: dict[str, Any], name: str, lang: str) -> str:
    return f"{record['first'][name][lang]:.3f}, {record['negative_log_likelihood'][name][lang]:.3f}"
