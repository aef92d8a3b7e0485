"""The encoders at hand: ``qgdr encoders``."""

from __future__ import annotations

from pathlib import Path

import click


@click.group()
def encoders() -> None:
    """List the encoders at hand, show one's card, or give one a glossary.

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


@encoders.command("add-glossary")
@click.argument("name")
@click.option(
    "--data", required=True, type=click.Path(path_type=Path), help="Training folder with lexicon and names."
)
@click.option("--recipe", help="Recipe whose data and 'glossary' settings are used.  [default: NAME]")
def add_glossary(name: str, data: Path, recipe: str | None) -> None:
    """Give the encoder NAME, a name or a path, translations of the words that it has seldom seen.

    'qgdr train' does so where the recipe has a group 'glossary'; this is for an encoder that is trained
    already. Indexes stay valid: passages have the same vectors as before. A glossary that it has is
    replaced.

    \b
    Example:
      qgdr encoders add-glossary qgdr --data data/train
      qgdr encoders add-glossary work/mine/encoder --recipe qgdr --data data/train
    """
    from qgdr_pyserini.model.registry import find_encoder
    from qgdr_pyserini.train.glossary import gloss_encoder
    from qgdr_pyserini.train.recipe import load_recipe

    folder = find_encoder(name)
    glossary = gloss_encoder(folder, load_recipe(recipe or name, ()), data)
    click.echo(f"{len(glossary):,} words and phrases of {len(glossary.words)} languages: {folder}")
