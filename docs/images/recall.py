"""Draw the README's picture from the scores of `runs/xquad`: ``python docs/images/recall.py``.

Two files, for light and for dark pages; both have a transparent background.
"""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt

HERE = Path(__file__).parent
REPORT = HERE.parent.parent / "runs" / "xquad" / "report.json"
METRIC = "recall@10"
LANGUAGES = {
    "en": "English",
    "es": "Spanish",
    "de": "German",
    "ru": "Russian",
    "zh": "Chinese",
    "ar": "Arabic",
}
SYSTEMS = {
    "bm25": ("BM25", "o"),
    "bm25-lexicon": ("BM25 with a dictionary", "s"),
    "qgdr": ("qgdr", "D"),
    "bm25-lexicon+qgdr-by-score": ("qgdr and dictionary BM25", "^"),
}
# Text, grid, and one colour a system (Okabe and Ito's, which colour-blind readers tell apart).
THEMES = {
    "light": ("#1f2328", "#d0d7de", ("#6e7781", "#b36200", "#0072b2", "#00785a")),
    "dark": ("#e6edf3", "#444c56", ("#9ea7b0", "#e69f00", "#56b4e9", "#2fc99a")),
}


def main() -> None:
    """Write `recall-light.svg` and `recall-dark.svg` beside this file."""
    scores = json.loads(REPORT.read_text(encoding="utf-8"))["results"][METRIC]
    for theme, (text, grid, colours) in THEMES.items():
        style = {
            "axes.edgecolor": grid,
            "axes.labelcolor": text,
            "font.family": "sans-serif",
            "font.sans-serif": ["DejaVu Sans"],
            "svg.fonttype": "path",
            "svg.hashsalt": theme,
            "text.color": text,
            "xtick.color": text,
            "ytick.color": text,
        }
        with mpl.rc_context(style):
            figure, axes = plt.subplots(figsize=(8, 3.2), layout="constrained")
            places = range(len(LANGUAGES), 0, -1)
            axes.hlines(places, 0, 1, color=grid, linewidth=1, zorder=1)
            for (system, (label, marker)), colour in zip(SYSTEMS.items(), colours, strict=True):
                values = [scores[system]["languages"][lang]["score"] for lang in LANGUAGES]
                look = (
                    {"s": 110, "facecolors": "none", "edgecolors": colour}
                    if system == "bm25"
                    else {"s": 52, "color": colour}
                )
                axes.scatter(values, places, marker=marker, label=label, zorder=3, **look)
            axes.set(
                xlim=(0, 1.02), xlabel="recall@10, 1,190 questions a language over 2,067 English passages"
            )
            axes.set_yticks(places, LANGUAGES.values())
            axes.tick_params(length=0)
            axes.spines[["top", "right", "left"]].set_visible(False)
            figure.legend(loc="outside upper center", ncols=4, frameon=False, handletextpad=0.2)
            file = HERE / f"recall-{theme}.svg"
            figure.savefig(file, transparent=True, metadata={"Date": None, "Creator": None})
            plt.close(figure)
            print(file)


if __name__ == "__main__":
    main()
