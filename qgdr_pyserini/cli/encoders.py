"""The encoders at hand: ``qgdr encoders``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from qgdr_pyserini.model.precision import OnDisk
    from qgdr_pyserini.model.towers import Tower


@click.group()
def encoders() -> None:
    """List the encoders at hand, show or renew one's card, or prune one's vocabulary.

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
    """Print the model card of the encoder NAME, a folder's or one's on the Hugging Face hub too.

    Of an encoder that was not made here, it says first how its vectors are made.

    \b
    Example:
      qgdr encoders show qgdr
    """
    from qgdr_pyserini.model.towers import find_towers

    towers = find_towers(name)
    if towers.shared:
        _show_tower(towers.query)
        return
    for what, tower in (("questions", towers.query), ("passages", towers.passage)):
        click.secho(f"{what}: {tower.folder}", bold=True)
        _show_tower(tower)


def _show_tower(tower: Tower) -> None:
    from qgdr_pyserini.errors import QgdrError
    from qgdr_pyserini.model.registry import is_ours

    own = is_ours(tower.folder)
    if not own:
        _show_settings(tower)
    card = tower.folder / "README.md"
    if card.is_file():
        click.echo(card.read_text(encoding="utf-8"))
    elif own:
        raise QgdrError(f"{card}: no such file; this encoder has no card")


def _show_settings(tower: Tower) -> None:
    from qgdr_pyserini.model.config import NOTHING
    from qgdr_pyserini.model.foreign import describe

    found = describe(tower.folder, NOTHING, tower.role)
    for key, value in found.config.model_dump().items():
        left_open = "  (its folder does not say)" if key in found.left_open else ""
        click.echo(f"{key.replace('_', ' ')}: {value!r}{left_open}")
    for layer in found.layers:
        click.echo(f"layer: {layer.kind}")
    click.echo()


@encoders.command()
@click.argument("encoder")
@click.option(
    "--report",
    "reports",
    multiple=True,
    metavar="SET=FILE",
    help="Scores to put into the card: a report.json of 'qgdr compare', and what was searched; repeatable.",
)
def card(encoder: str, reports: tuple[str, ...]) -> None:
    """Write the metadata of the model card of ENCODER anew, from its training.json and from reports.

    The card's text stays as it is. The Hugging Face hub reads the metadata: languages, licence, base
    model, data sets and results. In a report, the system of the encoder's name is taken.

    \b
    Example:
      qgdr encoders card qgdr --report google/xquad=runs/xquad/report.json
    """
    from qgdr_pyserini.model.registry import find_encoder
    from qgdr_pyserini.train.card_metadata import CARD, renew_metadata

    folder = find_encoder(encoder)
    results = renew_metadata(folder, [_named_report(report) for report in reports])
    click.echo(f"{folder / CARD}: {len(results)} results")


def _named_report(option: str) -> tuple[str, Path]:
    name, equals, file = option.partition("=")
    if not (name and equals and file):
        raise click.BadParameter(f"{option!r} is not SET=FILE, such as google/xquad=report.json.")
    return name, Path(file)


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
