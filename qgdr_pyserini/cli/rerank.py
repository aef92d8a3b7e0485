"""``qgdr rerank``: a second look at what a search found."""

from __future__ import annotations

from typing import Any

import click

from qgdr_pyserini.cli.options import computing, teacher_option, topics_option


@click.command()
@teacher_option
@click.option(
    "--run", "runs", required=True, multiple=True, metavar="FILE",
    help="TREC run, or a quoted pattern of runs; once for each.",
)  # fmt: skip
@topics_option
@click.option("--corpus", required=True, metavar="PATH", help="The passages that were searched.")
@click.option("--output", required=True, metavar="FILE", help="TREC run to write; .gz too.")
@click.option(
    "--depth",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    metavar="N",
    help="Hits of each question that are ranked anew; those below are left out.",
)
@click.option("--tag", default="rerank", show_default=True, metavar="TAG", help="What the run is called.")
@click.option(
    "--language",
    default="en",
    show_default=True,
    metavar="CODE",
    help="Of topics whose file's name tells none; a query generator names it in its prompt.",
)
@computing
def rerank(
    teacher: str,
    runs: tuple[str, ...],
    topics: tuple[str, ...],
    corpus: str,
    output: str,
    depth: int,
    tag: str,
    language: str,
    device: str,
    precision: Any,
    batch_size: int,
) -> None:
    """Let a teacher rank the first hits of a run anew.

    \b
    Example:
      qgdr rerank --teacher work/generator/teacher-ranking/model --run 'runs/run.bm25.*.txt' \\
        --topics 'collections/xquad/topics.*.tsv' --corpus collections/xquad/corpus.jsonl \\
        --depth 20 --tag bm25+generator --output runs/run.bm25+generator.txt
    """
    from qgdr_pyserini.files import expand_pattern
    from qgdr_pyserini.model.teachers import load_scorer
    from qgdr_pyserini.progress import progress
    from qgdr_pyserini.train.rerank import rerank_file

    run_files, topics_files = (
        [file for pattern in patterns for file in expand_pattern(pattern)] for patterns in (runs, topics)
    )
    model = load_scorer(teacher, device=device, precision=precision, batch_size=batch_size)
    with progress("queries") as advance:
        count = rerank_file(
            run_files, topics_files, corpus, output, model,
            depth=depth, tag=tag, language=language, advance=advance,
        )  # fmt: skip
    click.echo(f"{count:,} queries ranked anew: {output}")
