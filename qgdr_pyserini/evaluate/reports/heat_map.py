"""A heat map of scores by language of question and of passage."""

from __future__ import annotations

import re

from matplotlib import rc_context
from matplotlib.patches import Rectangle

from qgdr_pyserini.evaluate.passage_languages import Matrix, PassageLanguages
from qgdr_pyserini.evaluate.reports.figures import GAIN, STYLE, Drawing, finish, new_axes
from qgdr_pyserini.evaluate.reports.language_tables import matrices

SHOWN_SYSTEMS = 3
"""Systems that have heat maps."""

_DARKEST = 0.55
"""Ink stays readable on a cell up to this opacity, on light paper and on dark."""

_SPREAD = 0.2
"""Least range of scores that the shades are spread over, so that small differences look small."""


def draw_heat_maps(found: PassageLanguages | None) -> list[Drawing]:
    """Draw the matrices of the first systems; none where the languages of passages are not known."""
    if found is None:
        return []
    systems = list(found.matrices)
    return [
        draw_heat_map(system, metric, systems.index(system) + 1, caption, matrix)
        for system, metric, caption, matrix in matrices(found)
        if systems.index(system) < SHOWN_SYSTEMS
    ]


def draw_heat_map(system: str, metric: str, number: int, caption: str, matrix: Matrix) -> Drawing:
    """Draw a matrix, questions as rows and passages as columns; the more opaque, the higher the score.

    Opacity in place of colours, so that the page's own paper shows through, light or dark.

    Parameters
    ----------
    system, metric, number
        What is shown, and the system's number, for the file's name.
    caption
        What stands below.
    matrix
        Scores between 0 and 1.
    """
    columns = list(dict.fromkeys(one for cells in matrix.values() for one in cells))
    scores = [score for cells in matrix.values() for score in cells.values()]
    top = max(scores, default=1.0)
    low = max(0.0, min(min(scores, default=0.0), top - _SPREAD))
    with rc_context(STYLE):
        figure, axes = new_axes(1.6 + 0.62 * len(columns), 1.1 + 0.36 * len(matrix))
        tips = []
        for row, (question, cells) in enumerate(matrix.items()):
            for column, passage in enumerate(columns):
                if passage not in cells:
                    continue
                score = cells[passage]
                opacity = _DARKEST * (score - low) / max(top - low, 1e-9)
                cell = Rectangle((column, row), 1, 1, facecolor=GAIN, alpha=opacity, linewidth=0)
                axes.add_patch(cell)
                axes.text(column + 0.5, row + 0.5, f"{score:.3f}", ha="center", va="center", fontsize=8)
                tip = f"{system}, questions in {question}, passages in {passage}: {score:.3f}"
                tips.append((column + 0.5, row + 0.5, tip))
        axes.set_xlim(0, len(columns))
        axes.set_ylim(len(matrix), 0)
        axes.set_xticks([place + 0.5 for place in range(len(columns))], columns)
        axes.set_yticks([place + 0.5 for place in range(len(matrix))], list(matrix))
        axes.tick_params(length=0)
        axes.set_xlabel("passages in")
        axes.set_ylabel("questions in")
        for spine in axes.spines.values():
            spine.set_visible(False)
        name = f"languages-{re.sub(r'[^a-z0-9]+', '-', metric)}-{number}"
        return finish(name, caption, figure, axes, tips)
