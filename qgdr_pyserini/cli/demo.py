"""``qgdr demo``: every step on the sample collection, as a user would type it."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import click

_SHOWN_LANGUAGES = ("de", "ar", "zh")


@click.command()
@click.option(
    "--output",
    default="qgdr-demo",
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for what the demo writes; an earlier demo in it is replaced.",
)
@click.option("--encoder", default="qgdr", show_default=True, metavar="NAME|PATH", help="Encoder to show.")
def demo(output: Path, encoder: str) -> None:
    """Ask the same questions in twelve languages and compare BM25 with an encoder.

    Builds the sample collection that ships with the package, encodes it, searches it through Pyserini and
    scores the runs with ranx. Each command is shown before it runs. Needs no network.

    \b
    Example:
      qgdr demo --output qgdr-demo
    """
    collection, index, runs, report = (output / name for name in ("collection", "index", "runs", "report"))
    questions = runs / "questions.tsv"
    topics = f"{collection}/topics.*.tsv"
    corpus, qrels, dense = collection / "corpus.jsonl", collection / "qrels.txt", runs / "run.qgdr.txt"

    _qgdr("collection", "build", "sample", "--output", collection, "--overwrite")
    _qgdr("encode-corpus", "--corpus", corpus, "--index", index, "--encoder", encoder, "--overwrite")
    _qgdr("bm25", "--corpus", corpus, "--topics", topics, "--output", runs, "--overwrite")
    _join(topics, questions)
    _pyserini(
        *("pyserini.search.faiss", "--encoder", encoder, "--index", index, "--topics", questions),
        *("--output", dense, "--hits", "100", "--batch-size", "64"),
    )
    systems = ["--run", f"bm25={runs}/run.bm25.*.txt", "--run", f"{encoder}={dense}"]
    _qgdr("compare", "--qrels", qrels, *systems, "--output", report, "--overwrite")
    _show_examples(dense, qrels, corpus, [collection / f"topics.{lang}.tsv" for lang in _SHOWN_LANGUAGES])
    click.echo(f"\nThe collection is in {collection}, the index in {index}, the TREC runs in {runs},")
    click.echo(f"the comparison in {report / 'report.md'} and {report / 'report.json'}.")


def _qgdr(*arguments: str | Path) -> None:
    """Show a ``qgdr`` command and run it in this process."""
    words = [str(argument) for argument in arguments]
    _announce(shlex.join(["qgdr", *words]))
    root = click.get_current_context().find_root().command
    with root.make_context("qgdr", words) as context:
        root.invoke(context)


def _pyserini(*arguments: str | Path) -> None:
    """Show a command of stock Pyserini and run it in a process of its own."""
    words = [str(argument) for argument in arguments]
    _announce(shlex.join(["python", "-m", *words]))
    code = subprocess.run([sys.executable, "-m", *words], check=False).returncode
    if code:
        sys.exit(code)


def _announce(command: str) -> None:
    click.secho(f"\n$ {command}", bold=True)
    sys.stdout.flush()


def _join(topics: str, output: Path) -> None:
    """Put the questions of all languages in one file: Pyserini takes one, and starting it takes time."""
    from qgdr_pyserini.files import atomic_text, expand_pattern

    _announce(f"cat {topics} > {output}")
    with atomic_text(output) as file:
        file.writelines(Path(name).read_text(encoding="utf-8") for name in expand_pattern(topics))


def _show_examples(run: Path, qrels: Path, corpus: Path, topics: list[Path]) -> None:
    from qgdr_pyserini.evaluate.per_query import found_first

    click.secho("\nQuestions whose passage was ranked first, for example:", bold=True)
    for found in found_first(run, qrels, corpus, topics):
        click.echo(f"  {found.question}\n    {found.title}: {found.text[:90]}…")
