"""What ``qgdr plan`` says before is what is written after."""

import pytest
from click.testing import CliRunner
from test_index_types import vectors

from qgdr_pyserini.cli.main import main
from qgdr_pyserini.encode.faiss_types import INDEX_TYPES, IndexType
from qgdr_pyserini.encode.plan import plan_indexes

STRINGS = ("HNSW16,SQ8", "IVF16,PQ4x4,RFlat", "PCA4,IVF4,Flat")


@pytest.mark.parametrize("kind", [*INDEX_TYPES, *STRINGS])
@pytest.mark.parametrize(("passages", "dimension"), [(40, 8), (3000, 32), (1200, 52)])
def test_the_size_of_an_index_is_foreseen(kind, passages, dimension, tmp_path):
    IndexType(kind).write(vectors(passages, dimension), tmp_path / "index")
    (planned,) = plan_indexes(passages, dimension, 8, [IndexType(kind)])
    # Headers of a few hundred bytes are left out, one for each index inside; layers of a graph are random.
    headers = 400 if kind in INDEX_TYPES else 800
    assert planned.index == pytest.approx((tmp_path / "index").stat().st_size, rel=0.02, abs=headers)


def test_the_plan_is_a_table_of_all_kinds():
    done = CliRunner().invoke(main, ["plan", "--passages", "21015324", "--dimension", "384", "--rate", "250"])
    assert done.exit_code == 0
    assert [line.split()[0] for line in done.stdout.splitlines()[4:]] == list(INDEX_TYPES)
    flat = done.stdout.splitlines()[4].split()
    assert flat[1:4] == ["1,536", "32.3", "GB"]
    assert "23 h 21 min" in done.stdout


def test_a_factory_string_is_planned():
    asked = ["plan", "--passages", "1000000", "--index-type", "OPQ48,IVF4096,PQ48", "--index-type", "nothing"]
    done = CliRunner().invoke(main, asked[:-2])
    assert done.stdout.splitlines()[-1].split()[:2] == ["OPQ48,IVF4096,PQ48", "63"]
    done = CliRunner().invoke(main, asked)
    assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1)


@pytest.mark.parametrize("wrong", [["--passages", "1"], ["--dimension", "0"], ["--rate", "0"], []])
def test_a_plan_for_nothing_is_refused(wrong):
    done = CliRunner().invoke(main, ["plan", *(["--passages", "9"] if wrong else []), *wrong])
    assert done.exit_code == 2
    assert len(done.stderr.splitlines()) == 1
