"""``qgdr bm25``: the baseline."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option(
    "--corpus", required=True, metavar="PATH", help="JSON Lines file (.gz too), or a directory of them."
)
@click.option(
    "--topics",
    required=True,
    multiple=True,
    metavar="FILE",
    help="Questions, topics.LANG.tsv, or a quoted pattern of such files; once for each.",
)
@click.option("--output", required=True, metavar="DIR", help="Where run.bm25.LANG.txt goes.")
@click.option(
    "--hits",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    metavar="N",
    help="Passages a question.",
)
@click.option("--threads", type=click.IntRange(min=1), metavar="N", help="CPU threads.  [default: all cores]")
@click.option(
    "--language",
    default="en",
    show_default=True,
    metavar="LANG",
    help="Language of the passages, for stemming and stop words.",
)
@click.option(
    "--index",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Keep the Lucene index here, or use the one kept here.  [default: thrown away]",
)
@click.option(
    "--overwrite", is_flag=True, help="Replace runs, and an index of another corpus, that stand there."
)
def bm25(
    corpus: str,
    topics: tuple[str, ...],
    output: str,
    hits: int,
    threads: int | None,
    language: str,
    index: Path | None,
    overwrite: bool,
) -> None:
    """Search a corpus with Pyserini's BM25, to have something to compare with.

    Writes one TREC run for each topics file. Questions are searched as they are, in their own language.

    \b
    Example:
      qgdr bm25 --corpus collections/xquad/corpus.jsonl --output runs \\
        --topics 'collections/xquad/topics.*.tsv'
    """
    from qgdr_pyserini.encode.progress import progress
    from qgdr_pyserini.files import expand_pattern
    from qgdr_pyserini.pyserini_plugin.bm25 import Options, Reporter, write_bm25_runs

    def say(line: str) -> None:
        click.echo(line, err=True)

    files = [file for pattern in topics for file in expand_pattern(pattern)]
    options = Options(hits, threads, language, index, overwrite)
    with progress("passages") as advance:
        runs = write_bm25_runs(corpus, files, output, options, Reporter(say, advance))
    for run in runs:
        click.echo(f"Wrote {run}")
