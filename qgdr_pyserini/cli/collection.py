"""``qgdr collection``: collections to search and to measure on."""

from __future__ import annotations

from pathlib import Path
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
    help="Directory with the files, or 'hub' (for beir and tevatron 'hub:NAME') to fetch them from the "
    "Hugging Face hub.",
)
@click.option("--output", required=True, metavar="DIR", help="The collection's directory.")
@click.option(
    "--corpus",
    metavar="PATH|hub",
    help="Passages to search, for sets that have none; without it, only questions and answers are built.",
)
@click.option(
    "--language", "languages", multiple=True, metavar="LANG", help="Take these languages; once for each."
)
@click.option("--split", metavar="SPLIT", help="Part of the set.  [default: the one to measure on]")
@click.option("--overwrite", is_flag=True, help="Replace a collection that stands there.")
def build(
    name: str,
    source: str | None,
    output: str,
    corpus: str | None,
    languages: tuple[str, ...],
    split: str | None,
    overwrite: bool,
) -> None:
    """Build the collection NAME.

    \b
    NAME is one of
      sample    the small collection that ships with the package (no --source)
      xquad     questions in up to 12 languages over SQuAD's 2,067 English paragraphs;
                DIR holds xquad/xquad.LANG.json and squad/dev-v1.1.json
      xor-tydi  XOR-TyDi retrieve: questions in 7 languages with English answers;
                DIR holds xor_dev_retrieve_eng_span_v1_1.jsonl; passages by --corpus
      mkqa      questions in 26 languages with English answers; DIR holds mkqa.jsonl.gz;
                passages by --corpus
      mr-tydi   questions and passages in one --language; DIR holds mrtydi-v1.1-LANGUAGE/
      miracl    the same; DIR holds miracl-v1.0-LANG/ and miracl-corpus-v1.0-LANG/
      beir      any DIR with corpus.jsonl, queries.jsonl and qrels/SPLIT.tsv, or hub:NAME
      tevatron  any DIR with SPLIT.jsonl and corpus.jsonl, or hub:NAME

    \b
    Example:
      qgdr collection build xquad --source data --output collections/xquad
      qgdr collection build xor-tydi --source hub --corpus hub --output collections/xor
      qgdr collection build miracl --language sw --source hub --output collections/sw
    """
    from qgdr_pyserini.collection.builders import build_collection
    from qgdr_pyserini.collection.request import BuildRequest

    request = BuildRequest(
        source=source, output=output, corpus=corpus, languages=languages, split=split, overwrite=overwrite
    )
    _print(build_collection(name, request))


@collection.command("held-out")
@click.argument("recipe")
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Its training data.",
)
@click.option("--output", required=True, metavar="DIR", help="The collection's directory.")
@click.option(
    "--queries",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help="Of each language at most; 0 takes all.",
)
@click.option(
    "--language", "languages", multiple=True, metavar="LANG", help="Take these languages; once for each."
)
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a setting; repeatable."
)
@click.option("--overwrite", is_flag=True, help="Replace a collection that stands there.")
def held_out(
    recipe: str,
    data: Path,
    output: str,
    queries: int,
    languages: tuple[str, ...],
    overrides: tuple[str, ...],
    overwrite: bool,
) -> None:
    """Make a collection of the queries that RECIPE keeps from training.

    They are about the share 'holdout' of the articles, and are searched in all passages of the data. What
    is chosen by looking at them is chosen without looking at what is measured in the end.

    \b
    Example:
      qgdr collection held-out qgdr --data data/train --output collections/held-out --queries 40
    """
    from qgdr_pyserini.train.held_out import write_held_out
    from qgdr_pyserini.train.recipe import load_recipe

    settings = load_recipe(recipe, overrides)
    built = write_held_out(
        settings, data, output, per_language=queries, languages=languages, overwrite=overwrite
    )
    _print(built)


def _print(built: Collection) -> None:
    counts = built.manifest["counts"]
    click.echo(f"{built.name}: {counts['passages']:,} passages, {counts['qrels']:,} judgements")
    for language, questions in counts["questions"].items():
        click.echo(f"  {built.topics[language]}: {questions:,} questions")
    if not counts["passages"]:
        click.echo("no passages: search another corpus, or build it again with --corpus PATH")
    click.echo(f"wrote {built.directory}")
