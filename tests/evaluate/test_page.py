"""The page, the LaTeX document and the figures: whole, self-contained, and as a browser and TeX take them."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from qgdr_pyserini.collection.trec import rank_hits
from qgdr_pyserini.evaluate.compare import compare
from qgdr_pyserini.evaluate.metrics import recall_curve
from qgdr_pyserini.evaluate.per_query import largest_changes
from qgdr_pyserini.evaluate.reports.html import Changes
from qgdr_pyserini.evaluate.reports.report import write_report
from qgdr_pyserini.evaluate.systems import System

QRELS = {f"x-{language}-{n:02}": {"good": 1} for language in ("ar", "de") for n in range(20)}
NASTY = "</script><b>&amp;\"' {x} $y_z^% 多\\"


def systems(count):
    random = np.random.default_rng(count)
    return [
        System(
            NASTY if number == 1 else f"system {number}",
            ("run.txt",),
            {
                qid: rank_hits({"good": float(random.random() + number / 10), "bad": 0.6, NASTY: 0.4})
                for qid in QRELS
                if random.random() < 0.9
            },
        )
        for number in range(count)
    ]


def report(folder, count):
    found = systems(count)
    comparison = compare(QRELS, found)
    curves = {one.name: recall_curve(QRELS, one.run, list(QRELS)) for one in found}
    questions, passages = {qid: f"{NASTY} {qid}?" for qid in QRELS}, {"good": (NASTY, "text " * 200)}
    changes = []
    for one in found[1:2]:
        both = largest_changes(comparison, "mrr@10", one.name, found, QRELS, questions, passages)
        changes.append(Changes(one.name, "mrr@10", *both))
    return write_report(comparison, folder, curves=curves, changes=changes)


@pytest.mark.parametrize("count", [1, 2, 30])
def test_the_page_is_whole_and_needs_no_network(tmp_path, count):
    files = report(tmp_path / "out", count)
    page = files[0].read_text()
    assert not re.search(r'(src|href)="(https?:|//)', page)
    assert page.count("<svg ") == page.count("<figure>") == 3 + 1 + (0 if count == 1 else min(3, count - 1))
    assert "</script><b>" not in page
    for text in re.findall(r'<script type="application/json">(.*?)</script>', page, flags=re.DOTALL):
        assert all(len(point) == 3 for point in json.loads(text))
    json.loads((tmp_path / "out/report.json").read_text())
    names = {file.name for file in (tmp_path / "out/figures").iterdir()}
    assert {"scores-mrr-10.svg", "scores-mrr-10.png", "recall.svg", "recall.png"} <= names


def test_equal_comparisons_give_equal_files(tmp_path):
    report(tmp_path / "a", 3)
    report(tmp_path / "b", 3)
    first, second = (
        {file.name: file.read_bytes() for file in (tmp_path / side).rglob("*.*")} for side in "ab"
    )
    assert len(first) == 4 + 2 * 6
    assert first == second


@pytest.mark.parametrize("count", [1, 2, 30])
def test_the_latex_document_compiles(tmp_path, count):
    if shutil.which("pdflatex") is None:
        pytest.skip("NO TEX: install texlive-latex-recommended to compile report.tex")
    report(tmp_path, count)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "report.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "report.pdf").stat().st_size > 1000


def test_a_browser_opens_the_page_without_errors(tmp_path):
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("NO BROWSER: install chromium to open report.html")
    report(tmp_path, 3)
    picture = tmp_path / "page.png"
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"]
    places = [f"--screenshot={picture}", f"--user-data-dir={tmp_path / 'profile'}"]
    command = [browser, *options, *places, (tmp_path / "report.html").as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert not [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert Path(picture).stat().st_size > 10_000
