"""What stands behind an option among those that are passed on to Pyserini."""

from __future__ import annotations

from collections.abc import Sequence


def option_value(arguments: Sequence[str], name: str) -> str | None:
    """Return what follows an option, as ``--name value`` or ``--name=value``.

    Examples
    --------
    >>> option_value(["--hits", "10", "--index=indexes/xquad"], "--index")
    'indexes/xquad'
    """
    return next(iter(option_values(arguments, name)), None)


def option_values(arguments: Sequence[str], name: str) -> list[str]:
    """Return what follows each mention of an option, as ``--name value`` or ``--name=value``.

    Examples
    --------
    >>> option_values(["--index", "shards/1", "--hits", "10", "--index=shards/2"], "--index")
    ['shards/1', 'shards/2']
    """
    found = []
    for here, following in zip(arguments, [*arguments[1:], None], strict=True):
        if here == name and following is not None:
            found.append(following)
        elif here.startswith(f"{name}="):
            found.append(here.partition("=")[2])
    return found
