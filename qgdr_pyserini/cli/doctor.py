"""``qgdr doctor``: what is missing, and what to do about it."""

from __future__ import annotations

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line instead.")
def doctor(as_json: bool) -> None:
    """Check Python, Pyserini, Java, torch, faiss, ranx, the plug-in and the default encoder.

    One line each, with the remedy where something is wrong; exit code 1 then.

    \b
    Example:
      qgdr doctor
    """
    import dataclasses
    import json

    from qgdr_pyserini.pyserini_plugin.doctor import examine

    healthy = True
    for finding in examine():
        healthy &= finding.ok
        click.echo(json.dumps(dataclasses.asdict(finding)) if as_json else str(finding))
    if not healthy:
        click.get_current_context().exit(1)
