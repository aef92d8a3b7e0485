"""Evaluate an encoder in mteb on cross-lingual XQuAD; prints recall@10 and nDCG@10 of each language."""

from __future__ import annotations

from pathlib import Path

import click
import mteb
from encoder import MtebEncoder
from xquad_task import SPLIT, CrossLingualXQuAD


@click.command()
@click.option("--encoder", default="qgdr", show_default=True, help="Name or folder.")
@click.option("--collection", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--output", type=click.Path(path_type=Path), help="Folder for mteb's results.")
def main(encoder: str, collection: Path, output: Path | None) -> None:
    """Evaluate an encoder in mteb on cross-lingual XQuAD.

    Example: python examples/mteb/evaluate.py --collection collections/xquad
    """
    task = CrossLingualXQuAD(collection)
    cache = mteb.ResultCache(output) if output else None
    result = mteb.evaluate(MtebEncoder(encoder), task, cache=cache, show_progress_bar=False)
    for row in sorted(result.task_results[0].scores[SPLIT], key=lambda row: row["hf_subset"]):
        click.echo(f"{row['hf_subset']}  {row['recall_at_10']:.3f}  {row['ndcg_at_10']:.3f}")


if __name__ == "__main__":
    main()
