"""``qgdr combine-scores``: several teachers' scores as one."""

from __future__ import annotations

import click


@click.command("combine-scores")
@click.option(
    "--rows",
    required=True,
    multiple=True,
    metavar="NAME=FILE",
    help="Queries that 'qgdr score' has scored, by a name for the score; once for each score.",
)
@click.option(
    "--weight", "weights", multiple=True, metavar="NAME=W", help="Of a score as it is; once for each name."
)
@click.option(
    "--fit",
    "fitted",
    multiple=True,
    metavar="NAME=FILE",
    help="Held-out queries, scored in the same way, to fit the weights to; once for each name.",
)
@click.option("--output", required=True, metavar="FILE", help="File to write. Tevatron JSON Lines; .gz too.")
def combine_scores(
    rows: tuple[str, ...], weights: tuple[str, ...], fitted: tuple[str, ...], output: str
) -> None:
    """Add up several scores of the same candidates: the student's, a teacher's, another's.

    Weights are given, or fitted: those under which the positives of held-out queries are most likely among
    their candidates. They are printed. Fitted ones also set the scale, so that the sum is distilled with a
    teacher_temperature of 1.

    \b
    Example:
      qgdr combine-scores --rows student=student.jsonl --rows teacher=teacher.jsonl \\
        --fit student=held-out.student.jsonl --fit teacher=held-out.teacher.jsonl --output combined.jsonl
      qgdr combine-scores --rows student=student.jsonl --rows teacher=teacher.jsonl \\
        --weight student=15 --weight teacher=1 --output combined.jsonl
    """
    from qgdr_pyserini.train.combination import describe
    from qgdr_pyserini.train.steps import combine_files, fit_files

    if bool(weights) == bool(fitted):
        raise click.UsageError("give either --weight or --fit, once for each name.")
    files = _named(rows, "--rows")
    held_out = _named(fitted, "--fit", files)
    given = {name: _number(name, value) for name, value in _named(weights, "--weight", files).items()}
    found, measured = fit_files(held_out) if held_out else (given, {})
    count = combine_files(files, output, found)
    for line in describe(found, measured):
        click.echo(line)
    click.echo(f"{count:,} queries: {output}")


def _named(values: tuple[str, ...], option: str, names: dict[str, str] | None = None) -> dict[str, str]:
    """Split NAME=VALUE, in the order of ``names``, each of which has to be there once."""
    found = {name: value for name, _, value in (text.partition("=") for text in values)}
    if not all("=" in text for text in values) or len(found) < len(values):
        raise click.UsageError(f"{option} needs NAME=…, each name once.")
    if not values or names is None:
        return found
    if found.keys() != names.keys():
        raise click.UsageError(f"{option} needs the names of --rows: {', '.join(names)}.")
    return {name: found[name] for name in names}


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise click.UsageError(f"--weight {name}={text}: needs a number.") from None
