"""The command line as a whole: help, errors and start-up."""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from qgdr_pyserini.cli import main
from qgdr_pyserini.errors import QgdrError

HEAVY = ("torch", "transformers", "pyserini", "faiss", "ranx", "datasets", "numpy", "jnius")


def commands(command=main, path=()):
    """Every command without sub-commands, with the words that call it."""
    if isinstance(command, click.Group):
        for name, sub in command.commands.items():
            yield from commands(sub, (*path, name))
    else:
        yield path


@pytest.mark.parametrize("path", commands(), ids=" ".join)
def test_help_of_every_command_shows_an_example_on_a_line_of_its_own(path):
    result = CliRunner().invoke(main, [*path, "--help"])
    assert result.exit_code == 0
    lines = [line.strip() for line in result.output.splitlines()]
    assert any(line.startswith(f"qgdr {' '.join(path)}") for line in lines[lines.index("Example:") :])


def test_help_loads_nothing_heavy():
    script = (
        "import sys; from qgdr_pyserini.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert output.splitlines()[-1] == "[]"


def loaded(*arguments):
    """Which of the heavy packages a command has loaded when it is done."""
    script = (
        "import sys; from qgdr_pyserini.cli import main\n"
        f"try: main({list(arguments)!r})\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        f"print(*[name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


def test_planning_loads_faiss_alone():
    assert loaded("plan", "--passages", "1000") == {"faiss", "numpy"}


def test_comparing_loads_ranx_and_nothing_that_computes_vectors(tmp_path):
    (tmp_path / "qrels.txt").write_text("q1 0 a 1\nq2 0 b 1\n")
    (tmp_path / "run.txt").write_text("q1 Q0 a 1 2.0 x\nq2 Q0 a 1 2.0 x\n")
    files = ["--qrels", str(tmp_path / "qrels.txt"), "--run", str(tmp_path / "run.txt")]
    found = loaded("compare", *files, "--output", str(tmp_path / "report"))
    assert found == {"ranx", "numpy"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["encode-corpus"], "Missing option '--corpus'"),
        (["encode-corpus", "--corpus", "nowhere.jsonl", "--index", "i"], "nowhere.jsonl"),
        (["train", "qgdr-none", "--dry-run"], "no recipe 'qgdr-none'"),
        (["train", "qgdr"], "--data and --output are needed"),
        (["encoders", "show", "qgdr-none"], "unknown encoder 'qgdr-none'"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (QgdrError("two\nlines"), "Error: two lines"),
        (OSError(28, "No space left on device", "out"), "Error: out: No space left on device"),
        (click.ClickException("plain"), "Error: plain"),
    ],
)
def test_errors_of_every_kind_are_one_line(error, line, monkeypatch):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr("qgdr_pyserini.train.recipe.load_recipe", fail)
    result = CliRunner().invoke(main, ["train", "qgdr", "--dry-run"])
    assert (result.exit_code, result.stderr) == (2, line + "\n")


def test_encoders_are_listed_and_shown(tiny_encoder, tmp_path, monkeypatch):
    (tmp_path / "encoders").mkdir()
    (tmp_path / "encoders" / "tiny-qgdr").symlink_to(tiny_encoder)
    monkeypatch.chdir(tmp_path)
    listed = CliRunner().invoke(main, ["encoders", "list"]).output
    assert f"tiny-qgdr\t{tmp_path}" in listed
    shown = CliRunner().invoke(main, ["encoders", "show", "tiny-qgdr"])
    assert shown.exit_code == 2
    assert "has no card" in shown.stderr


def test_a_dry_run_prints_the_plan():
    result = CliRunner().invoke(main, ["train", "qgdr", "--dry-run", "--set", "distillation.steps=7"])
    assert result.exit_code == 0
    assert "7 steps" in result.output
