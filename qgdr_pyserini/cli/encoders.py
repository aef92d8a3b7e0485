"""The encoders at hand: ``qgdr encoders``."""

from __future__ import annotations

import click


@click.group()
def encoders() -> None:
    """List the encoders at hand, or show one's card.

    \b
    Example:
      qgdr encoders list
    """


@encoders.command("list")
def list_encoders() -> None:
    """List encoders by name, with their folders.

    \b
    Example:
      qgdr encoders list
    """
    from qgdr_pyserini.model.registry import named_encoders

    for name, folder in sorted(named_encoders().items()):
        click.echo(f"{name}\t{folder}")


@encoders.command()
@click.argument("name")
def show(name: str) -> None:
    """Print the model card of the encoder NAME.

    \b
    Example:
      qgdr encoders show qgdr
    """
    from qgdr_pyserini.errors import QgdrError
    from qgdr_pyserini.model.registry import find_encoder

    card = find_encoder(name) / "README.md"
    if not card.is_file():
        raise QgdrError(f"{card}: no such file; this encoder has no card")
    click.echo(card.read_text(encoding="utf-8"))
