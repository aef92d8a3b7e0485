"""Training: ``qgdr train``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("recipe")
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the training set.")
@click.option("--output", type=click.Path(path_type=Path), help="Folder for this run.")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a setting; repeatable."
)
@click.option("--resume", is_flag=True, help="Go on with the run in --output that stopped.")
@click.option("--dry-run", is_flag=True, help="Print the plan and stop.")
def train(
    recipe: str,
    data: Path | None,
    output: Path | None,
    overrides: tuple[str, ...],
    resume: bool,
    dry_run: bool,
) -> None:
    """Train an encoder by RECIPE: a name under encoders/, a folder, or a TOML file.

    \b
    Example:
      qgdr train qgdr --data data/train --output work/qgdr
      qgdr train qgdr --data data/train --output work/try --set contrastive.steps=500
    """
    from qgdr_pyserini.train.recipe import load_recipe

    settings = load_recipe(recipe, overrides)
    if dry_run:
        from qgdr_pyserini.train.plan import describe

        click.echo(describe(settings))
        return
    if data is None or output is None:
        raise click.UsageError("--data and --output are needed (or --dry-run).")
    from qgdr_pyserini.train.pipeline import train_encoder

    folder = train_encoder(settings, data, output, resume=resume)
    click.echo(f"encoder: {folder}")
