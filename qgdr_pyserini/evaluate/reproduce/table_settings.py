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
    baseline
        The row that the others are tested against.
    rows
        Systems' names, as in the commands, by what the row is called. A name without ``spread`` in it was
        made once.
    """

    spread: str
    baseline: str
    rows: dict[str, str] = Field(min_length=2)
