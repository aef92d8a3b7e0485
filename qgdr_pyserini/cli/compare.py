"""``qgdr compare``: score runs with ranx, next to a baseline."""

from __future__ import annotations

import click


@click.command()
@click.option("--qrels", required=True, metavar="FILE", help="Judgements: qid 0 docid grade.")
@click.option(
    "--run",
    "runs",
    required=True,
    multiple=True,
    metavar="NAME=FILE",
    help="A TREC run, or a quoted pattern of run files; once for each. Files with one NAME (default: the "
    "file's stem) make one system.",
)
@click.option("--baseline", metavar="NAME", help="System to test the others against.  [default: the first]")
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    metavar="M",
    help="A ranx metric, such as recall@100, map, rbp.95; once for each.  "
    "[default: recall@10, ndcg@10, mrr@10]",
)
@click.option(
    "--topics",
    multiple=True,
    metavar="FILE",
    help="topics.LANG.tsv: these queries are in LANG. Without it the query ids tell, as in xquad-de-1.",
)
@click.option(
    "--language", "languages", multiple=True, metavar="LANG", help="Compare in these languages alone."
)
@click.option("--output", required=True, metavar="DIR", help="Where report.md and report.json go.")
@click.option("--overwrite", is_flag=True, help="Replace an earlier report.")
def compare(
    qrels: str,
    runs: tuple[str, ...],
    baseline: str | None,
    metrics: tuple[str, ...],
    topics: tuple[str, ...],
    languages: tuple[str, ...],
    output: str,
    overwrite: bool,
) -> None:
    """Compare TREC runs: scores by language, and which differences are more than chance.

    Prints a table for each metric and writes report.md and report.json. Every judged query counts, as zero
    where a run has no hit for it. Each system is tested against the baseline by a paired t-test, corrected
    after Holm.

    \b
    Example:
      qgdr compare --qrels collections/xquad/qrels.txt \\
        --run 'bm25=runs/run.bm25.*.txt' --run 'qgdr=runs/xquad.qgdr.*.txt' \\
        --output reports/xquad
    """
    from qgdr_pyserini.evaluate.compare import compare as compare_systems
    from qgdr_pyserini.evaluate.languages import read_languages
    from qgdr_pyserini.evaluate.metrics import DEFAULT_METRICS, check_metrics
    from qgdr_pyserini.evaluate.report import refuse_report, write_report
    from qgdr_pyserini.evaluate.runs import read_systems
    from qgdr_pyserini.evaluate.terminal import print_comparison, working
    from qgdr_pyserini.evaluate.trec import read_qrels

    refuse_report(output, overwrite=overwrite)
    chosen = check_metrics(metrics or DEFAULT_METRICS)
    with working("Scoring with ranx; the first time it compiles for some 10 s"):
        comparison = compare_systems(
            read_qrels(qrels),
            read_systems(runs),
            chosen,
            qrels_file=qrels,
            baseline=baseline,
            languages=read_languages(topics),
            only=languages,
        )
    print_comparison(comparison)
    for file in write_report(comparison, output, overwrite=overwrite):
        click.echo(f"Wrote {file}")
