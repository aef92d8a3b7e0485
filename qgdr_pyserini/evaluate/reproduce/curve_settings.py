"""What a figure of curves shows: a score as one value changes."""

from __future__ import annotations

from pydantic import Field

from qgdr_pyserini.settings import Settings


class CurveSettings(Settings):
    """A figure with a panel for each group of curves.

    Parameters
    ----------
    metric
        What is drawn; one of the metrics measured.
    over
        The name in ``vary`` along the horizontal axis, whose values are numbers.
    spread
        The name in ``vary`` that is averaged over, such as a seed; None where nothing is.
    axis
        What the horizontal axis says.
    panels
        By title, curves: a system's name, as in the commands, by what the curve is called. A name without
        ``over`` in it is a level line. Differences are those of the first curve from the others.
    """

    metric: str
    over: str
    spread: str | None = None
    axis: str
    panels: dict[str, dict[str, str]] = Field(min_length=1)
