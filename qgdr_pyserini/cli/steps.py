"""Single steps of the method: ``qgdr score``, ``qgdr generate-queries``, ``qgdr mine-negatives``."""

from __future__ import annotations

from typing import Any

import click

from qgdr_pyserini.cli.options import Command, computing, encoder_option, teacher_option


def _files(command: Command) -> Command:
    for name, what in (("--output", "File to write."), ("--input", "Queries with their passages.")):
        help_text = f"{what} Tevatron JSON Lines; .gz too."
        command = click.option(name, name[2:] + "_file", required=True, metavar="FILE", help=help_text)(
            command
        )
    return command


@click.command()
@teacher_option
@_files
@click.option(
    "--language", default="en", show_default=True, metavar="CODE", help="Of queries without a 'lang'."
)
@click.option(
    "--translations",
    metavar="FILE",
    help="Questions that the teacher reads in English: language, question and English, by tabs.",
)
@click.option(
    "--known",
    metavar="FILE",
    help="Scores kept by --scores-output: only the rest is computed.",
)
@click.option("--scores-output", metavar="FILE", help="Keep the scores alone, for --known; .gz too.")
@computing
def score(
    teacher: str,
    input_file: str,
    output_file: str,
    language: str,
    translations: str | None,
    known: str | None,
    scores_output: str | None,
    device: str,
    precision: Any,
    batch_size: int,
) -> None:
    """Let a teacher score every candidate of every query.

    A teacher is a query generator, a cross-encoder, or one of our encoders, whose score is the inner product.

    \b
    Example:
      qgdr score --teacher google/mt5-base --input mined.jsonl --output scored.jsonl
      qgdr score --teacher qgdr --input mined.jsonl --output student.jsonl --scores-output student.tsv.gz
    """
    from qgdr_pyserini.collection.tevatron import read_candidates
    from qgdr_pyserini.model.teachers import load_scorer
    from qgdr_pyserini.progress import progress
    from qgdr_pyserini.train.scores import read_scores, write_scores
    from qgdr_pyserini.train.steps import score_file

    kept = read_scores(known) if known else {}
    model = load_scorer(teacher, device=device, precision=precision, batch_size=batch_size)
    with progress("queries") as advance:
        count = score_file(
            input_file, output_file, model,
            language=language, translations=translations, known=kept, advance=advance,
        )  # fmt: skip
    if scores_output:
        write_scores(scores_output, read_candidates(output_file))
    click.echo(f"{count:,} queries scored: {output_file}")


@click.command("generate-queries")
@click.option("--generator", required=True, metavar="NAME|PATH", help="A seq2seq or causal model.")
@_files
@click.option(
    "--language", "languages", required=True, multiple=True, metavar="CODE", help="To ask in; repeatable."
)
@click.option(
    "--languages-per-query",
    "per_query",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help="Languages drawn for each query; 0 takes all.",
)
@click.option(
    "-n",
    "number",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="Queries for each passage and language.",
)
@click.option(
    "--top-k",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    metavar="K",
    help="Tokens are drawn from the K most likely.",
)
@click.option("--seed", type=int, default=0, show_default=True, metavar="N", help="Of the drawing.")
@click.option(
    "--check-language", is_flag=True, help="Drop queries that are not in the language they were asked in."
)
@click.option(
    "--round-trip",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="K",
    help="Drop queries for which --encoder does not find the passage among its first K; 0 keeps them.",
)
@click.option("--corpus", metavar="PATH", help="The passages that --round-trip searches.")
@encoder_option
@computing
def generate_queries(
    generator: str,
    input_file: str,
    output_file: str,
    languages: tuple[str, ...],
    per_query: int,
    number: int,
    top_k: int,
    seed: int,
    check_language: bool,
    round_trip: int,
    corpus: str | None,
    encoder: str,
    device: str,
    precision: Any,
    batch_size: int,
) -> None:
    """Write queries in other languages for each query's passage, to be aligned with it.

    \b
    Example:
      qgdr generate-queries --generator work/generator --input mined.jsonl \\
        --output generated.jsonl --language de --language zh --check-language \\
        --round-trip 20 --corpus collections/xquad/corpus.jsonl
    """
    from qgdr_pyserini.model.dual_encoder import DualEncoder
    from qgdr_pyserini.model.registry import find_encoder
    from qgdr_pyserini.model.teachers import load_generator
    from qgdr_pyserini.progress import progress
    from qgdr_pyserini.train.generation import GenerationSettings
    from qgdr_pyserini.train.mining import search_with
    from qgdr_pyserini.train.steps import generate_file

    if round_trip and not corpus:
        raise click.UsageError("--round-trip needs --corpus.")
    search = None
    if round_trip and corpus:
        search = search_with(DualEncoder.from_pretrained(find_encoder(encoder), device), corpus)
    model = load_generator(generator, device=device, precision=precision, batch_size=batch_size)
    with progress("passages") as advance:
        settings = GenerationSettings(
            languages=list(languages),
            languages_per_query=per_query,
            n=number,
            top_k=top_k,
            check_language=check_language,
            round_trip=round_trip,
        )
        counts = generate_file(
            input_file, output_file, model, settings, seed=seed, search=search, advance=advance
        )
    if settings.filters:
        dropped = "{in_another_language:,} in another language, {not_found_again:,} not found again"
        click.echo(f"of {counts['written']:,} dropped: {dropped.format(**counts)}", err=True)
    click.echo(f"{counts['queries']:,} queries written: {output_file}")


@click.command("mine-negatives")
@_files
@click.option("--corpus", required=True, metavar="PATH", help="The passages that are searched.")
@click.option("--run", metavar="FILE", help="TREC run to take negatives from, such as BM25's.")
@click.option("--encoder", metavar="NAME|PATH", help="Encoder to search with, instead of a run.")
@click.option(
    "--teacher", metavar="NAME|PATH", help="Drops what it scores like a positive, where no answers are known."
)
@click.option(
    "--margin",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    help="How far below the best positive a negative must be scored.",
)
@click.option(
    "--negatives", type=click.IntRange(min=1), default=31, show_default=True, metavar="N", help="A query."
)
@click.option(
    "--depth",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    metavar="N",
    help="Ranks looked at.",
)
@computing
def mine_negatives(
    input_file: str,
    output_file: str,
    corpus: str,
    run: str | None,
    encoder: str | None,
    teacher: str | None,
    margin: float,
    negatives: int,
    depth: int,
    device: str,
    precision: Any,
    batch_size: int,
) -> None:
    """Give every query hard negatives: passages ranked high that do not answer it.

    Passages with one of the query's 'answers' are dropped; for queries without answers, those that
    the teacher scores like a positive.

    \b
    Example:
      qgdr mine-negatives --input queries.jsonl --output mined.jsonl \\
        --corpus collections/xquad/corpus.jsonl --encoder qgdr
    """
    from qgdr_pyserini.model.dual_encoder import DualEncoder
    from qgdr_pyserini.model.registry import find_encoder
    from qgdr_pyserini.model.teachers import load_teacher
    from qgdr_pyserini.train.negatives import NegativeSettings
    from qgdr_pyserini.train.steps import mine_file

    if (run is None) == (encoder is None):
        raise click.UsageError("give one of --run and --encoder.")
    options = {"device": device, "precision": precision, "batch_size": batch_size}
    count = mine_file(
        input_file,
        output_file,
        corpus,
        NegativeSettings(negatives=negatives, depth=depth, margin=margin),
        run=run,
        encoder=DualEncoder.from_pretrained(find_encoder(encoder), device) if encoder else None,
        teacher=load_teacher(teacher, **options) if teacher else None,
    )
    click.echo(f"{count:,} queries: {output_file}")
