"""``qgdr collection``: collections to search and to measure on."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from qgdr_pyserini.collection.collection import Collection
    from qgdr_pyserini.collection.training_folder import TrainingFolder

_WIDTH, _COLUMN = 78, 15


@click.group()
def collection() -> None:
    """Build collections: a corpus, questions, judgements and answers."""


class _BuildCommand(click.Command):
    """Lists the loaders in its help, as they registered themselves."""

    @property
    def help(self) -> str | None:
        return self._help and inspect.cleandoc(self._help).replace("LOADERS", _list_loaders())

    @help.setter
    def help(self, text: str | None) -> None:
        self._help = text


def _list_loaders() -> str:
    from qgdr_pyserini.collection.loaders.base import all_loaders

    lines = []
    for loader in all_loaders().values():
        name = f"  {loader.usage}"
        # A long name has a line of its own, as in the list of options.
        if len(name) >= _COLUMN:
            lines.append(name)
            name = ""
        takes = f"; takes {', '.join(loader.flags)}" if loader.flags else ""
        first, others = f"{name:<{_COLUMN}}", " " * _COLUMN
        lines.append(
            textwrap.fill(
                loader.help + takes,
                _WIDTH,
                initial_indent=first,
                subsequent_indent=others,
                break_on_hyphens=False,
            )
        )
    return "\n".join(lines)


@collection.command(cls=_BuildCommand)
@click.argument("name")
@click.option(
    "--source",
    metavar="DIR|hub",
    help="Directory with the files, or 'hub' to fetch them from the Hugging Face hub ('hub:NAME' where the "
    "set's name there is not fixed).",
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
@click.option(
    "--query-field",
    "query_fields",
    multiple=True,
    metavar="FIELD",
    help="What questions are made of: title, or title,description; once for each topics file.  "
    "[default: what the set counts as their text]",
)
@click.option(
    "--doc-fields",
    metavar="FIELD,FIELD",
    help="What passages are made of.  [default: what the set counts as their text]",
)
@click.option("--topics", multiple=True, metavar="LANG=FILE", help="Topics; once for each language.")
@click.option("--qrels", metavar="FILE", help="Judgements.")
@click.option(
    "--passages",
    metavar="LANG,LANG|all",
    help="Languages of the passages, in one pool, where the set has them in several.  [default: English]",
)
@click.option("--encoding", metavar="NAME", help="Encoding of the files.  [default: utf-8]")
@click.option("--accept-licence", is_flag=True, help="You have read and accept the terms of use of the set.")
@click.option(
    "--exclude",
    metavar="PATH",
    help="XQuAD's files, or others in SQuAD's layout: their paragraphs and questions are left out.  "
    "[default: xquad/ in the source, or the hub's]",
)
@click.option("--only", multiple=True, metavar="SOURCE", help="Take these sources; once for each.")
@click.option("--overwrite", is_flag=True, help="Replace a collection that stands there.")
def build(
    name: str,
    source: str | None,
    output: str,
    corpus: str | None,
    languages: tuple[str, ...],
    split: str | None,
    query_fields: tuple[str, ...],
    doc_fields: str | None,
    topics: tuple[str, ...],
    qrels: str | None,
    passages: str | None,
    encoding: str | None,
    accept_licence: bool,
    exclude: str | None,
    only: tuple[str, ...],
    overwrite: bool,
) -> None:
    """Build the collection NAME.

    \b
    NAME is one of
    LOADERS

    \b
    Example:
      qgdr collection build xquad --source data --output collections/xquad
      qgdr collection build xquad --source data --passages all --output collections/xquad-pool
      qgdr collection build xor-tydi --source hub --corpus hub --output collections/xor
      qgdr collection build miracl --language sw --source hub --output collections/sw
      qgdr collection build ir_datasets:hc4/zh/test --query-field title,description \\
        --query-field mt_title,mt_description --output collections/hc4-zh
      qgdr collection build trec --corpus TIPSTER/ --topics en=topics.51-100 --qrels qrels.51-100 \\
        --output collections/trec1
      qgdr collection build training-set --source hub:downloads --output data/train
    """
    from qgdr_pyserini.collection.collection import Collection
    from qgdr_pyserini.collection.loaders.base import BuildRequest, build_collection

    request = BuildRequest(
        source=source,
        output=output,
        corpus=corpus,
        languages=languages,
        split=split,
        query_fields=query_fields,
        doc_fields=doc_fields,
        topics=topics,
        qrels=qrels,
        passages=passages,
        encoding=encoding,
        accept_licence=accept_licence,
        exclude=exclude,
        only=only,
        overwrite=overwrite,
    )
    built = build_collection(name, request)
    if isinstance(built, Collection):
        _print(built)
    else:
        _print_training_folder(built, only)


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
    for line in (*_absent(counts.get("absent")), *built.manifest.get("remarks", ())):
        click.echo(f"note: {line}")
    click.echo(f"wrote {built.directory}")


def _print_training_folder(built: TrainingFolder, only: tuple[str, ...]) -> None:
    from qgdr_pyserini.collection.loaders.training_set import absent_sources

    for name, about in built.manifest["sources"].items():
        click.echo(f"{name}: {_numbers(about['counts']) or 'nothing to train with'} ({about['licence']})")
        for file, reasons in about["left out"].items():
            click.echo(f"  left out of {file}: {_numbers(reasons)}")
    for source in absent_sources(built, only):
        click.echo(f"not found: {source.layout}; from {source.origin}")
    if not built.manifest["excluded"]:
        click.echo("note: XQuAD was not given, so it is not left out; to measure on it, pass --exclude DIR")
    languages = ", ".join(f"{lang} {count:,}" for lang, count in built.manifest["languages"].items())
    click.echo(f"queries: {languages}")
    click.echo(f"wrote {built.directory}: {_numbers(built.manifest['counts'])}")


def _numbers(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name.split('.')[0]}" for name, count in counts.items())


def _absent(counts: dict[str, int] | None) -> Iterator[str]:
    if counts:
        yield (
            f"{counts['passages']:,} judged passages are not in the corpus: {counts['qrels']:,} judgements "
            f"({counts['relevant']:,} relevant) of {counts['questions']:,} questions, which no run can find."
        )
