"""Loss curves of a training run, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qgdr_pyserini.train.stages import Done


def draw_curves(stages: Sequence[Done], path: Path) -> bool:
    """Draw one panel a stage that has a log: loss over steps; tell whether there was any.

    Parameters
    ----------
    stages
        Of the run.
    path
        SVG file to write.
    """
    from matplotlib.figure import Figure

    drawn = [stage for stage in stages if stage.record.get("log")]
    if not drawn:
        return False
    columns = min(3, len(drawn))
    rows = -(-len(drawn) // columns)
    figure = Figure(figsize=(4 * columns, 2.8 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).flatten()
    for panel, stage in zip(panels, drawn, strict=False):
        log = stage.record["log"]
        panel.plot([row["step"] for row in log], [row["loss"] for row in log], color="#2a6f97", linewidth=1.2)
        panel.set(title=stage.name, xlabel="step", ylabel="loss")
        panel.grid(alpha=0.3)
    for panel in panels[len(drawn) :]:
        panel.remove()
    # No date and no random ids: equal runs give equal pictures.
    figure.savefig(path, metadata={"Date": None})
    return True
