"""What a table of repeated systems shows: each a row, averaged over its repeats."""

from __future__ import annotations

from pydantic import Field

from qgdr_pyserini.settings import Settings


class TableSettings(Settings):
    """A table for each metric, whose rows are systems that were made more than once.

    Parameters
    ----------
    spread
        The name in ``vary`` that is averaged over, such as a seed.
    over
        The name in ``vary`` of whose values each has tables of its own, such as how many labels there were;
        None for one table a metric.
    titles
        What stands above them, by value.
    baseline
        The row that the others are tested against.
    rows
        Systems' names, as in the commands, by what the row is called. A name without ``spread`` in it was
        made once; one without ``over`` is in every table.
    """

    spread: str
    over: str | None = None
    titles: dict[str, str] = Field(default_factory=dict)
    baseline: str
    rows: dict[str, str] = Field(min_length=2)
