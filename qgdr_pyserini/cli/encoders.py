"""The encoders at hand: ``qgdr encoders``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from qgdr_pyserini.model.precision import OnDisk


@click.group()
def encoders() -> None:
    """List the encoders at hand, show one's card, prune one's vocabulary, or give one a glossary.

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


@encoders.command()
@click.argument("encoder")
@click.option(
    "--texts",
    required=True,
    multiple=True,
    type=click.Path(path_type=Path),
    help="Texts that the encoder is for: JSON Lines, or one text a line (.gz too); repeatable.",
)
@click.option("--output", required=True, type=click.Path(path_type=Path), help="Folder of the new encoder.")
@click.option(
    "--min-count", default=1, show_default=True, type=click.IntRange(1), help="Least uses of a subword."
)
@click.option(
    "--first", default=0, show_default=True, type=click.IntRange(0), help="Keep this many first ones anyway."
)
@click.option(
    "--export",
    default="fp32",
    show_default=True,
    type=click.Choice(["fp32", "fp16", "fp8"]),
    help="Precision of the weights on disk.",
)
@click.option("--overwrite", is_flag=True, help="Replace an encoder in --output.")
def prune(
    encoder: str,
    texts: tuple[Path, ...],
    output: Path,
    min_count: int,
    first: int,
    export: OnDisk,
    overwrite: bool,
) -> None:
    """Take subwords that --texts do not use out of ENCODER, a name or a path.

    A text that uses none of them is cut as before and has the same vector; special tokens and single
    characters stay. Most of a small multilingual encoder is its table of subword vectors.

    \b
    Example:
      qgdr encoders prune qgdr --texts corpus.jsonl --texts topics.de.tsv --output encoders/qgdr-de
      qgdr encoders prune qgdr:work/mine --texts corpus.jsonl.gz --min-count 3 --output work/smaller
    """
    from qgdr_pyserini.model.pruning import PruningSettings, prune_folder
    from qgdr_pyserini.model.registry import find_encoder

    settings = PruningSettings(min_count=min_count, first=first)
    folder = find_encoder(encoder)
    before, after = prune_folder(folder, texts, output, settings, export, overwrite=overwrite)
    click.echo(f"{before:,} subwords, now {after:,}: {output}")


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
