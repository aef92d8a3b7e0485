"""``qgdr reproduce``: every number of a comparison once more."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qgdr_pyserini.evaluate.reproduce.kept_runs import Row


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--check", "mode", flag_value="check", help="Score the runs kept in FOLDER; makes none.")
@click.option("--full", "mode", flag_value="full", default=True, help="Make all runs anew.  [default]")
@click.option("--update", "mode", flag_value="update", help="Make all runs anew, and keep these instead.")
@click.option(
    "--extend",
    "mode",
    flag_value="extend",
    help="Make only the runs that are missing or changed, and keep these, too.",
)
@click.option("--data", metavar="DIR", help="Data that the commands in FOLDER/reproduce.toml start from.")
@click.option(
    "--work",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Keep indexes and models here, and go on here when stopped.  [default: thrown away]",
)
def reproduce(folder: Path, mode: str, data: str | None, work: Path | None) -> None:
    """Compute the scores of a comparison again and say of each whether it came out.

    FOLDER is one under runs/, with reproduce.toml and the runs that are kept. Ends with 1 if a score is off
    by more than the tolerance, or with --check if a kept file has changed.

    \b
    Example:
      qgdr reproduce runs/sample
      qgdr reproduce runs/xquad --check
      qgdr reproduce runs/xquad --data data
      qgdr reproduce runs/ablation --data data --work work/ablation --extend
    """
    from qgdr_pyserini.evaluate.reproduce import workflow

    def say(line: str) -> None:
        click.echo(line, err=True)

    if mode in ("update", "extend"):
        for file in workflow.update(folder, data, say, work, anew=mode == "update"):
            click.echo(f"Wrote {file}")
        mode = "check"
    rows = workflow.check(folder) if mode == "check" else workflow.reproduce(folder, data, say, work)
    _print(rows)


def _print(rows: Sequence[Row]) -> None:
    """Print a line for each score; leave with 1 if one fails."""
    names = max(len(row.system) for row in rows), max(len(row.metric) for row in rows)
    for row in rows:
        verdict = click.style("OK  ", "green") if row.ok else click.style("FAIL", "red", bold=True)
        name = f"{row.system:{names[0]}}  {row.metric:{names[1]}}  {row.language:5}"
        remark = f"  {row.problem}" if row.problem else ""
        click.echo(f"{verdict}  {name} {_number(row.found)}  (expected {_number(row.expected)}){remark}")
    failed = sum(not row.ok for row in rows)
    click.echo(f"{len(rows) - failed} of {len(rows)} scores OK" + (f", {failed} FAILED" if failed else ""))
    if failed:
        click.get_current_context().exit(1)


def _number(score: float | None) -> str:
    return "   -  " if score is None else f"{score:.4f}"
