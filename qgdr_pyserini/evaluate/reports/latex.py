"""A comparison as a LaTeX document of booktabs tables, to compile as it is or to copy from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from qgdr_pyserini.evaluate.passage_languages import PassageLanguages
from qgdr_pyserini.evaluate.reports.language_tables import fairness_note, fairness_rows, matrices, matrix_rows
from qgdr_pyserini.evaluate.reports.tables import MEAN, Row, how_tested, mean_of, row_names, score_of
from qgdr_pyserini.evaluate.results import Comparison

_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%",
    "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}",
}  # fmt: skip
_WIDE = 9


def to_latex(comparison: Comparison) -> str:
    """Write a table for each metric: systems as rows, languages as columns, the best score bold.

    Parameters
    ----------
    comparison
        What to write.

    Returns
    -------
    str
        A document that pdflatex compiles.
    """
    lines = [
        r"\documentclass{article}",
        r"\usepackage[T1]{fontenc}",
        r"\usepackage[utf8]{inputenc}",
        r"\usepackage{booktabs}",
        r"\usepackage{graphicx}",
        r"\begin{document}",
        "",
        *(line for metric in comparison.results for line in _table(comparison, metric)),
        *_languages(comparison.passages),
        r"\end{document}",
    ]
    return "\n".join(lines) + "\n"


def escape_latex(text: str) -> str:
    r"""Write text so that pdflatex prints it; signs beyond Latin-1 become their code points.

    Examples
    --------
    >>> escape_latex("a_b 100%"), escape_latex("多")
    ('a\\_b 100\\%', '[U+591A]')
    """
    return "".join(
        _SPECIAL.get(sign, sign if ord(sign) < 127 or 160 < ord(sign) < 256 else f"[U+{ord(sign):04X}]")
        for sign in text
    )


def _table(comparison: Comparison, metric: str) -> Iterator[str]:
    results = comparison.results[metric]
    rows = row_names(next(iter(results.values())))
    wide = len(rows) > _WIDE
    yield r"\begin{table}[t]"
    yield r"\centering"
    if wide:
        yield r"\resizebox{\linewidth}{!}{%"
    yield rf"\begin{{tabular}}{{l{'r' * len(rows)}}}"
    yield r"\toprule"
    yield " & ".join(["", *map(escape_latex, rows)]) + r" \\"
    yield r"\midrule"
    for name in results:
        yield (
            " & ".join([escape_latex(name), *(_cell(comparison, metric, name, row) for row in rows)]) + r" \\"
        )
    yield r"\bottomrule"
    yield r"\end{tabular}" + ("}" if wide else "")
    yield rf"\caption{{{_caption(comparison, metric)}}}"
    yield r"\end{table}"
    yield ""


def _languages(found: PassageLanguages | None) -> Iterator[str]:
    if found is None:
        return
    yield from _plain_table(fairness_rows(found), fairness_note(found), wide=True)
    for _, _, caption, matrix in matrices(found):
        yield from _plain_table(matrix_rows(matrix, found.pool), f"{caption}.", wide=False)


def _plain_table(rows: Sequence[Row], caption: str, *, wide: bool) -> Iterator[str]:
    head, *body = [" & ".join(map(escape_latex, row)) + r" \\" for row in rows]
    yield from (r"\begin{table}[t]", r"\centering", *([r"\resizebox{\linewidth}{!}{%"] if wide else []))
    yield from (rf"\begin{{tabular}}{{l{'r' * (len(rows[0]) - 1)}}}", r"\toprule", head, r"\midrule", *body)
    yield from (
        r"\bottomrule",
        r"\end{tabular}" + ("}" if wide else ""),
        rf"\caption{{{escape_latex(caption)}}}",
        r"\end{table}",
        "",
    )


def _cell(comparison: Comparison, metric: str, name: str, row: str) -> str:
    results = comparison.results[metric]
    number = f"{mean_of(results[name], row):.3f}"
    best = max(f"{mean_of(scores, row):.3f}" for scores in results.values())
    text = rf"\textbf{{{number}}}" if number == best and len(results) > 1 else number
    score = None if row == MEAN else score_of(results[name], row)
    if score is None or score.against is None or score.against.p_holm >= 0.05:
        return text
    arrow = r"\uparrow" if score.against.mean > 0 else r"\downarrow"
    return rf"{text}$^{{{arrow}{'**' if score.against.p_holm < 0.01 else '*'}}}$"


def _caption(comparison: Comparison, metric: str) -> str:
    if comparison.baseline is None:
        return f"{escape_latex(metric)}."
    return (
        rf"{escape_latex(metric)}; best scores are bold. $\uparrow$ better, $\downarrow$ worse than"
        rf" {escape_latex(comparison.baseline)}: * $p < 0.05$, ** $p < 0.01$."
        f" {escape_latex(how_tested(comparison))}"
    )
