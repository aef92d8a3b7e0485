"""Reference pages that are made from the code: commands from Click, recipe settings from pydantic."""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Iterator
from typing import Any, Literal, Union, get_args, get_origin

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from qgdr_pyserini.cli import main
from qgdr_pyserini.train.recipe import Recipe

_SIGNS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add both pages."""
    for name, content in (("cli", command_page()), ("recipe", recipe_page())):
        files.append(File.generated(config, f"reference/{name}.md", content=content))
    return files


def command_page() -> str:
    """Describe every command as its ``--help`` does."""
    parts = ["# Commands\n", "What `qgdr COMMAND --help` prints, of every command.\n"]
    for words, command in _commands(main, ("qgdr",)):
        context = click.Context(command, info_name=" ".join(words))
        text, _, example = inspect.cleandoc(command.help or "").partition("\b\n")
        usage = " ".join([*words, *command.collect_usage_pieces(context)])
        parts += [
            f"## {' '.join(words)} {{#{'-'.join(words[1:])}}}\n",
            f"```text\n{usage}\n```\n",
            _escaped(text),
        ]
        if example:
            lines = [line.strip() for line in example.splitlines()[1:] if line.strip()]
            parts.append("```bash\n" + "\n".join(lines) + "\n```\n")
        parts.append(_options(command, context))
    return "\n".join(parts)


def _commands(
    command: click.Command, words: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if not isinstance(command, click.Group):
        yield words, command
        return
    for name, sub in sorted(command.commands.items()):
        yield from _commands(sub, (*words, name))


def _options(command: click.Command, context: click.Context) -> str:
    records = [
        record
        for parameter in command.get_params(context)
        if isinstance(parameter, click.Option) and (record := parameter.get_help_record(context))
    ]
    rows = [f"| `{names}` | {_escaped(' '.join(text.split()))} |" for names, text in records]
    return "\n".join(["| option | |", "|---|---|", *rows, ""])


def recipe_page() -> str:
    """Describe every setting of a recipe: its type, default and meaning."""
    parts = [
        "# Recipe settings\n",
        "Every key of a `recipe.toml`, and of `qgdr train --set KEY=VALUE`. A group whose default is "
        "“left out” is a stage that is left out, unless its table is in the recipe. How recipes are used is "
        "said on [the page about training](../how-to/training.md).\n",
    ]
    groups = dict(_groups(Recipe, "", set()))
    for group, name in groups.items():
        title = f"`[{name}]`" if name else "Top level"
        parts += [f"## {title} {{#{_anchor(name)}}}\n", *_group(group, groups)]
    return "\n".join(parts)


def _groups(
    group: type[BaseModel], name: str, seen: set[type[BaseModel]]
) -> Iterator[tuple[type[BaseModel], str]]:
    """Give each kind of group once, with the first name that it has; kinds before those derived from them."""
    seen.add(group)
    yield group, name
    inner = [
        (key, kind) for key, field in group.model_fields.items() if (kind := _group_in(field.annotation))
    ]
    for key, kind in sorted(inner, key=lambda pair: len(pair[1].__mro__)):
        if kind not in seen:
            yield from _groups(kind, f"{name}.{key}" if name else key, seen)


def _group(group: type[BaseModel], groups: dict[type[BaseModel], str]) -> list[str]:
    fields = dict(group.model_fields)
    lines = [_summary(group), ""]
    base = next((base for base in group.__mro__[1:] if base in groups), None)
    if base is not None:
        inherited = base.model_fields
        fields = {
            key: field
            for key, field in fields.items()
            if key not in inherited or _default(inherited[key]) != _default(field)
        }
        lines.append(
            f"The keys are those of [`[{groups[base]}]`](#{_anchor(groups[base])}), with these differences:\n"
        )
    meanings = _meanings(group)
    lines += ["| key | type | default | |", "|---|---|---|---|"]
    for key, field in fields.items():
        kind = _group_in(field.annotation)
        shown = f"[group](#{_anchor(groups[kind])})" if kind else _kind(field)
        text = _summary(kind) if kind else meanings.get(key, "")
        lines.append(f"| `{key}` | {shown} | {_default(field)} | {text} |")
    return [*lines, ""]


def _summary(group: type[BaseModel]) -> str:
    """Give the first paragraph of a group's docstring, in one line."""
    return _plain(" ".join(inspect.cleandoc(group.__doc__ or "").split("\n\n")[0].split()))


def _kind(field: FieldInfo) -> str:
    limits = ", ".join(
        f"{sign} {getattr(limit, what):g}"
        for limit in field.metadata
        for what, sign in _SIGNS.items()
        if hasattr(limit, what)
    )
    return f"{_type(field.annotation)} {limits}".strip()


def _type(annotation: Any) -> str:
    arguments = get_args(annotation)
    if get_origin(annotation) is Literal:
        return ", ".join(f'`"{value}"`' for value in arguments)
    if get_origin(annotation) in (Union, types.UnionType):
        return " or ".join(_type(kind) for kind in arguments if kind is not type(None))
    if arguments:
        return f"{annotation.__origin__.__name__} of {' to '.join(_type(kind) for kind in arguments)}"
    return str(getattr(annotation, "__name__", annotation))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return ""
    return "left out" if value is None else f"`{_toml(value)}`"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value).replace("'", '"') if isinstance(value, (str, list, tuple, dict)) else str(value)


def _group_in(annotation: Any) -> type[BaseModel] | None:
    kinds = (annotation, *get_args(annotation))
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


def _meanings(group: type[BaseModel]) -> dict[str, str]:
    """Read what NumPy docstrings of a class and its bases say of each parameter."""
    meanings: dict[str, str] = {}
    for cls in reversed(group.__mro__):
        _, found, block = inspect.cleandoc(cls.__dict__.get("__doc__") or "").partition(
            "Parameters\n----------\n"
        )
        if found and issubclass(cls, BaseModel):
            block = re.split(r"\n\n\w+\n-+\n", block)[0]
            for names, text in re.findall(r"^(\S.*)\n((?:    .*(?:\n|$)|\n)+)", block, re.MULTILINE):
                meanings |= dict.fromkeys(names.split(", "), _plain(" ".join(text.split())))
    return meanings


def _anchor(name: str) -> str:
    return name.replace(".", "-") or "top-level"


def _plain(text: str) -> str:
    return text.replace("``", "`").replace("|", "\\|")


def _escaped(text: str) -> str:
    return re.sub(r"([*|\[])", r"\\\1", text).replace("<", "&lt;")
