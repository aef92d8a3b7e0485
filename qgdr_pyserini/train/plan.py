"""What a recipe would do, without doing it."""

from __future__ import annotations

from qgdr_pyserini.train.recipe import Recipe

_BYTES_PER_HALF = 2
_STATES_PER_PARAMETER = 4  # the weight, its gradient and AdamW's two moments


def describe(recipe: Recipe) -> str:
    """List a recipe's stages with their sizes.

    Parameters
    ----------
    recipe
        All settings.

    Returns
    -------
    str
        A few lines of text.
    """
    vocabulary, student, contrastive = recipe.vocabulary, recipe.student, recipe.contrastive
    parameters = vocabulary.size * student.dimension
    sources = contrastive.sources.model_dump()
    total = sum(source["weight"] for source in sources.values())
    pairs = contrastive.steps * sum(s["weight"] * s["batch_size"] for s in sources.values()) / total
    lines = [
        f"recipe {recipe.name}, seed {recipe.seed}: {recipe.description}",
        f"1. vocabulary: {vocabulary.size:,} subwords",
        f"2. contrastive: {contrastive.steps:,} steps, about {pairs:,.0f} pairs",
    ]
    for name, source in sources.items():
        lines.append(
            f"     {name}: {source['weight'] / total:.0%} of the batches, {source['batch_size']} pairs each"
        )
    lines += [
        f"3. encoder: {parameters:,} parameters, {student.dimension} dimensions, "
        f"{parameters * _BYTES_PER_HALF / 2**20:.0f} MiB on disk",
        f"memory for weights, gradients and AdamW: {parameters * 4 * _STATES_PER_PARAMETER / 2**20:.0f} MiB",
    ]
    return "\n".join(lines)
