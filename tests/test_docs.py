"""What the texts say is there: files, commands with their options, recipe settings, public names."""

import itertools
import re
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
