"""What the texts say is there: files, commands with their options, recipe settings, public names."""

import itertools
import re
import runpy
import shlex
from pathlib import Path

import click
import pytest

import qgdr_pyserini
from qgdr_pyserini.cli import main
from qgdr_pyserini.train.recipe import find_recipe, load_recipe

REPOSITORY = Path(__file__).resolve().parent.parent
TEXTS = [
    *(REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "runs/README.md")),
    *sorted(REPOSITORY.glob("docs/**/*.md")),
    *sorted(REPOSITORY.glob("encoders/*/README.md")),
]
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s#]+)")
# Made from the code when the site is built.
GENERATED = {REPOSITORY / "docs" / "reference" / name for name in ("cli.md", "recipe.md")}
# Words that a page uses in place of a name.
PLACEHOLDER = re.compile(r"[A-Z_]{2,}|…")


def name_of(path):
    return str(path.relative_to(REPOSITORY))


def commands_in(text):
    """Every line of an example that calls ``qgdr``, as words."""
    for language, block in FENCE.findall(text):
        if language in ("", "bash"):
            for line in block.replace("\\\n", " ").splitlines():
                if match := re.search(r"(?:^|[|;] *)(qgdr .*)$", line.strip()):
                    yield shlex.split(match[1].split(" > ")[0], comments=True)


@pytest.mark.parametrize("path", TEXTS, ids=name_of)
def test_every_file_that_is_linked_to_exists(path):
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    for target in LINK.findall(text):
        if not re.match(r"[a-z]+:", target):
            file = (path.parent / target).resolve()
            assert file.exists() or file in GENERATED, target


@pytest.mark.parametrize("path", TEXTS, ids=name_of)
def test_every_command_and_option_exists(path):
    for words in commands_in(path.read_text(encoding="utf-8")):
        command, rest = main, words[1:]
        while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
            assert rest[0] in command.commands, words
            command, rest = command.commands[rest[0]], rest[1:]
        if command.name == "search":  # Pyserini's own options
            continue
        known = {
            option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
        }
        used = {word.split("=")[0] for word in rest if word.startswith("--")}
        assert used <= known | {"--help"}, words


@pytest.mark.parametrize("path", TEXTS, ids=name_of)
def test_every_recipe_and_setting_exists(path):
    for words in commands_in(path.read_text(encoding="utf-8")):
        if words[1] == "train" and not PLACEHOLDER.search(words[2]):
            settings = [after for word, after in itertools.pairwise(words) if word == "--set"]
            load_recipe(str(find_recipe(words[2])), settings)


def test_every_public_name_is_in_the_reference():
    text = (REPOSITORY / "docs" / "reference" / "python.md").read_text(encoding="utf-8")
    names = set(re.findall(r"^::: qgdr_pyserini\.(\w+)$", text, re.MULTILINE))
    assert names == {*qgdr_pyserini.__all__} - {"__version__"}


def test_the_four_trips_pass_eight_files_at_most_that_exist_and_none_twice():
    text = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.split("## Four trips\n")[1].split("\n## ")[0]
    trips = re.findall(r"^\d\. .*$", section, re.MULTILINE)
    assert len(trips) == 4
    for trip in trips:
        files = re.findall(r"`(\w+/[\w/]+\.py)`", trip)
        assert 2 < len(files) <= 8
        assert len({*files}) == len(files)
        for file in files:
            assert (REPOSITORY / "qgdr_pyserini" / file).is_file(), file


def test_files_that_contributing_names_exist():
    text = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for file in re.findall(r"`((?:[a-z_]+/)+\w*(?:\.py)?)`", text):
        assert (REPOSITORY / file).exists() or (REPOSITORY / "qgdr_pyserini" / file).exists(), file


def reference():
    """The hook that makes pages from the code."""
    pytest.importorskip("mkdocs", reason="THE REFERENCE WAS NOT MADE: pip install qgdr-pyserini[docs]")
    return runpy.run_path(str(REPOSITORY / "docs" / "_hooks" / "reference.py"))


def test_the_reference_has_every_command_with_its_options():
    page = reference()["command_page"]()
    assert "## qgdr encode-corpus {#encode-corpus}" in page
    assert "| `--index DIR` | The index's directory. \\[required] |" in page
    assert "qgdr encoders card qgdr --report google/xquad=runs/xquad/report.json" in page


def test_the_reference_has_every_setting_with_type_default_and_meaning():
    page = reference()["recipe_page"]()
    assert (
        "| `name` | str | required | The encoder's name; contains `qgdr` so that Pyserini finds it. |" in page
    )
    assert (
        "| `threshold` | float ≥ -1, ≤ 1 | `0.5` | Pairs whose agreement is below it are dropped. |" in page
    )
    # What the warm-up has in common with the distillation is not said twice.
    warmup = page.split("## `[warmup]`")[1].split("\n## ")[0]
    assert re.findall(r"^\| `(\w+)`", warmup, re.MULTILINE) == ["kd", "alpha", "beta"]
    rows = re.findall(r"^\| `(\w+)` \| .* \| (.*) \|$", page, re.MULTILINE)
    assert len(rows) > 100
    assert [key for key, meaning in rows if not meaning] == []
