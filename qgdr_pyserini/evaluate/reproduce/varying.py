"""Systems that differ in a few values: written once, with a name in braces where the values go."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType


def names_in(template: str, vary: Mapping[str, Sequence[str]]) -> list[str]:
    """List the names of ``vary`` that stand in a template, in braces."""
    return [name for name in vary if f"{{{name}}}" in template]


def fill(template: str, values: Mapping[str, str]) -> str:
    """Put values where their names stand; other names in braces stay.

    Examples
    --------
    >>> fill("{work}/teacher-{share}", {"share": "25"})
    '{work}/teacher-25'
    """
    for name, value in values.items():
        template = template.replace(f"{{{name}}}", value)
    return template


def choices(template: str, vary: Mapping[str, Sequence[str]]) -> Iterator[dict[str, str]]:
    """Go through all values of the names that stand in a template; once, with none, where none does."""
    names = names_in(template, vary)
    for chosen in itertools.product(*(vary[name] for name in names)):
        yield dict(zip(names, chosen, strict=True))


def expand(
    commands: Mapping[str, Sequence[str]],
    vary: Mapping[str, Sequence[str]],
    options: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
) -> dict[str, list[str]]:
    """Write out the commands of every system.

    Parameters
    ----------
    commands
        By system, whose name may hold names of ``vary``; what these stand for goes into its commands too.
    vary
        Values by name.
    options
        By a name of ``vary``, what ``{NAME.options}`` in a command stands for at each of its values.

    Examples
    --------
    >>> expand({"bm25": ["a"], "bm25-{k}": ["b {k} {data}"]}, {"k": ["1", "2"]})
    {'bm25': ['a'], 'bm25-1': ['b 1 {data}'], 'bm25-2': ['b 2 {data}']}
    >>> expand({"bm25-{k}": ["b {k.options}"]}, {"k": ["few", "all"]}, {"k": {"few": "-n 9", "all": ""}})
    {'bm25-few': ['b -n 9'], 'bm25-all': ['b ']}
    """

    def text(command: str, values: Mapping[str, str]) -> str:
        given = {f"{name}.options": options[name][value] for name, value in values.items() if name in options}
        return fill(command, {**values, **given})

    return {
        fill(system, values): [text(command, values) for command in own]
        for system, own in commands.items()
        for values in choices(system, vary)
    }
