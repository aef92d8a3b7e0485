"""The notebook of the examples: it runs, and what is kept of its output is of no machine in particular."""

import json
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).resolve().parents[2] / "examples" / "quickstart.ipynb"


@pytest.fixture(scope="module")
def kept():
    return nbformat.read(NOTEBOOK, as_version=4)


def test_the_notebook_runs_and_shows_what_is_kept(kept, tmp_path):
    ran = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(ran, timeout=600, resources={"metadata": {"path": tmp_path}}).execute()
    assert [shapes(cell) for cell in ran.cells] == [shapes(cell) for cell in kept.cells]


def test_every_cell_was_run_in_order_and_none_failed(kept):
    code = [cell for cell in kept.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert "error" not in {output.output_type for output in outputs}
    assert any("image/png" in output.get("data", {}) for output in outputs)


def test_no_path_of_a_machine_is_kept(kept):
    text = re.sub(r'"image/png": "[^"]*"', "", json.dumps(kept))
    assert not re.findall(r"/(?:home|root|tmp|usr|opt|var|Users)/[^\s\"]*", text)


def shapes(cell):
    """What kinds of output a cell has, less what is said on standard error."""
    outputs = [output for output in cell.get("outputs", []) if output.get("name") != "stderr"]
    return [sorted(output.get("data", {"stream": 0})) for output in outputs]
