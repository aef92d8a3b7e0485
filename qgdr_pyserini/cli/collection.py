"""``qgdr collection``: collections to search and to measure on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from qgdr_pyserini.collection.collection import Collection


@click.group()
def collection() -> None:
    """Build collections: a corpus, questions, judgements and answers."""


@collection.command()
@click.argument("name")
@click.option(
    "--source",
    metavar="DIR|hub",
    help="Directory with the original files, or 'hub' to load the set from the Hugging Face hub.",
)
@click.option("--output", required=True, metavar="DIR", help="The collection's directory.")
@click.option("--overwrite", is_flag=True, help="Replace a collection that stands there.")
def build(name: str, source: str | None, output: str, overwrite: bool) -> None:
    """Build the collection NAME.

    \b
    NAME is one of
      sample  the small collection that ships with the package (no --source)
      xquad   questions in up to 12 languages over SQuAD's 2,067 English paragraphs;
              DIR holds xquad/xquad.LANG.json and squad/dev-v1.1.json

    \b
    Example:
      qgdr collection build xquad --source data --output collections/xquad
    """
    from qgdr_pyserini.collection.builders import find_builder

    built = find_builder(name).build(source, output, overwrite=overwrite)
    _print(built)


def _print(built: Collection) -> None:
    counts = built.manifest["counts"]
    click.echo(f"{built.name}: {counts['passages']:,} passages, {counts['qrels']:,} judgements")
    for language, questions in counts["questions"].items():
        click.echo(f"  {built.topics[language]}: {questions:,} questions")
    click.echo(f"wrote {built.directory}")
