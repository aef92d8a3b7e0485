"""``qgdr doctor``: what is missing, and what to do about it."""

from __future__ import annotations

import click


@click.command()
@click.option("--index", metavar="DIR", help="Check this index too, and that --encoder made it.")
@click.option("--encoder", metavar="NAME|PATH", help="The encoder to check.  [default: qgdr]")
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object a line instead, for a bug report."
)
def doctor(index: str | None, encoder: str | None, as_json: bool) -> None:
    """Check Python, Pyserini, Java, torch, faiss, ranx, the plug-in, the encoder and an index.

    One line each, with the remedy where something is wrong; exit code 1 then. The last lines say
    what is changed in Pyserini, and why.

    \b
    Example:
      qgdr doctor --index indexes/xquad.qgdr
    """
    import dataclasses
    import json

    from qgdr_pyserini.pyserini_plugin.doctor import examine

    healthy = True
    for finding in examine(index, encoder):
        healthy &= finding.ok
        click.echo(json.dumps(dataclasses.asdict(finding)) if as_json else str(finding))
    if not healthy:
        click.get_current_context().exit(1)
