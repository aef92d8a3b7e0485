"""``qgdr compare``: score runs with ranx, next to a baseline."""

from __future__ import annotations

import click


@click.command()
@click.option("--qrels", metavar="FILE", help="Judgements: qid 0 docid grade.")
@click.option("--answers", metavar="FILE", help="Answers, for metrics that look for them in passages.")
@click.option(
    "--corpus", metavar="PATH", help="What was searched: passages to look in, and to show in report.html."
)
@click.option(
    "--run",
    "runs",
    required=True,
    multiple=True,
    metavar="NAME=FILE",
    help="A TREC run, or a quoted pattern of run files; once for each. Files with one NAME (default: the "
    "file's stem) make one system.",
)
@click.option(
    "--fuse",
    multiple=True,
    metavar="METHOD",
    help="Fuse the systems into one more, called METHOD: rrf, isr, bordafuse, sum, mnz, max ...; once for "
    "each. NAME=METHOD:SYSTEM,SYSTEM names it and chooses; NAME=sum:SYSTEM*WEIGHT,SYSTEM*WEIGHT weighs.",
)
@click.option("--baseline", metavar="NAME", help="System to test the others against.  [default: the first]")
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    metavar="M",
    help="A ranx metric, such as recall@100, map, rbp.95; judged@10; or, with --answers, r@2kt, "
    "answer-recall@20; once for each.  [default: recall@10, ndcg@10, mrr@10, where grades are above 1 "
    "ndcg@20, map, recall@100, recall@1000, rbp.8, judged@20; r@2kt, r@5kt, answer-recall@20]",
)
@click.option(
    "--topics",
    multiple=True,
    metavar="FILE",
    help="topics.LANG.tsv, or a quoted pattern: these queries are in LANG. Without it the query ids "
    "tell, as in xquad-de-1.",
)
@click.option(
    "--language", "languages", multiple=True, metavar="LANG", help="Compare in these languages alone."
)
@click.option(
    "--mean-of", multiple=True, metavar="LANG", help="Take the mean over these languages.  [default: all]"
)
@click.option(
    "--passage-languages",
    metavar="PATH",
    help="The corpus searched, whose passages say their 'language' or are recognised; or docid<TAB>language "
    "in a .tsv (.gz too). Adds how fair each system is to the languages, and a matrix of questions' and "
    "passages' languages.",
)
@click.option(
    "--xor-predictions",
    is_flag=True,
    help="Also write xor-predictions.NAME.json, which the XOR-Retrieve leaderboard takes.",
)
@click.option("--output", required=True, metavar="DIR", help="Where the reports and figures go.")
@click.option("--overwrite", is_flag=True, help="Replace an earlier report.")
def compare(
    qrels: str | None,
    answers: str | None,
    corpus: str | None,
    runs: tuple[str, ...],
    fuse: tuple[str, ...],
    baseline: str | None,
    metrics: tuple[str, ...],
    topics: tuple[str, ...],
    languages: tuple[str, ...],
    mean_of: tuple[str, ...],
    passage_languages: str | None,
    xor_predictions: bool,
    output: str,
    overwrite: bool,
) -> None:
    """Compare TREC runs: scores by language, and which differences are more than chance.

    Prints a table for each metric and writes report.html, .md, .tex and .json. Every query with a judgement
    or answer counts, as zero where a run has no hit for it. Each system is tested against the baseline by
    Student's and Fisher's paired tests, corrected after Holm; over all languages, queries whose ids differ
    by the language alone count as one question. With --topics and --corpus, report.html shows the queries
    that gained and lost most, and what both systems found.

    Where two systems' first hits were judged to shares that differ by more than 0.1, a warning says so:
    what nobody judged counts as not relevant.

    \b
    Example:
      qgdr compare --qrels collections/xquad/qrels.txt \\
        --run 'bm25=runs/run.bm25.*.txt' --run 'qgdr=runs/xquad.qgdr.*.txt' \\
        --output reports/xquad
      qgdr compare --answers collections/xor-tydi/answers.jsonl --corpus collections/xor-tydi \
        --run 'qgdr=runs/xor.qgdr.*.txt' --xor-predictions --output reports/xor
    """
    from qgdr_pyserini.evaluate.compare_files import Request, run_comparison
    from qgdr_pyserini.evaluate.reports.terminal import print_comparison, working

    request = Request(
        qrels=qrels,
        answers=answers,
        corpus=corpus,
        runs=runs,
        fuse=fuse,
        baseline=baseline,
        metrics=metrics,
        topics=topics,
        languages=languages,
        mean_of=mean_of,
        passage_languages=passage_languages,
        xor_predictions=xor_predictions,
        output=output,
        overwrite=overwrite,
    )
    with working("Scoring with ranx; the first time it compiles for some 10 s"):
        comparison, files = run_comparison(request)
    print_comparison(comparison)
    for file in files:
        click.echo(f"Wrote {file}")
