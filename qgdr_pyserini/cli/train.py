"""Training: ``qgdr train``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("recipe")
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the data.")
@click.option("--output", type=click.Path(path_type=Path), help="Folder for this run.")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a setting; repeatable."
)
@click.option("--resume", is_flag=True, help="Go on with the run in --output that stopped.")
@click.option(
    "--reuse",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="Take stages from another run where they would come out the same; repeatable.",
)
@click.option(
    "--teacher-only", is_flag=True, help="Stop when the teacher is trained; --resume goes on without it."
)
@click.option("--dry-run", is_flag=True, help="Print the plan and stop.")
def train(
    recipe: str,
    data: Path | None,
    output: Path | None,
    overrides: tuple[str, ...],
    resume: bool,
    reuse: tuple[Path, ...],
    teacher_only: bool,
    dry_run: bool,
) -> None:
    """Train an encoder by RECIPE: a name under encoders/, a folder, or a TOML file.

    Every stage has a folder of its own in --output and is not run again once it is complete; a run
    that was stopped goes on, with --resume, to the weights that it would have had. Several
    processes (GPUs): torchrun --nproc-per-node N $(which qgdr) train …

    \b
    Example:
      qgdr train qgdr --data data/train --output work/qgdr
      qgdr train qgdr --data data/train --output work/try --set distillation.steps=50
      qgdr train qgdr-cross-encoder --data data/train --output work/cross-encoder --teacher-only
      qgdr train qgdr-xor-tydi --dry-run
    """
    from qgdr_pyserini.train.recipe import load_recipe

    settings = load_recipe(recipe, overrides)
    if dry_run:
        from qgdr_pyserini.train.plan import describe

        click.echo(describe(settings, data))
        return
    if data is None or output is None:
        raise click.UsageError("--data and --output are needed (or --dry-run).")
    from qgdr_pyserini.pyserini_plugin.bm25_training import bm25_scorer_for, rank_with_bm25
    from qgdr_pyserini.train.pipeline import RunOptions, train_encoder, train_teacher

    scorer = bm25_scorer_for(data)
    options = RunOptions(resume=resume, reuse=reuse, bm25=rank_with_bm25, bm25_scorer=scorer, say=_say)
    if teacher_only:
        click.echo(f"teacher: {train_teacher(settings, data, output, options)}")
    else:
        click.echo(f"encoder: {train_encoder(settings, data, output, options)}")


def _say(line: str) -> None:
    click.echo(line, err=True)
