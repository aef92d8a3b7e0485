"""Settings read from files, checked, with errors that name the key and its nearest valid one."""

from __future__ import annotations

import difflib
import os
from typing import Any, Self, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from qgdr_pyserini.errors import InputError


class Settings(BaseModel):
    """A group of settings: unknown keys and wrong types are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @classmethod
    def checked(cls, values: Any, path: str | os.PathLike[str]) -> Self:
        """Make the group from what a file held.

        Parameters
        ----------
        values
            The file's content.
        path
            The file, for the message.

        Raises
        ------
        InputError
            With the first thing that is wrong.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise InputError(_explain(cls, error.errors()[0]), path) from None


def _explain(settings: type[BaseModel], problem: ErrorDetails) -> str:
    *parents, key = problem["loc"] or ("",)
    name = ".".join(map(str, problem["loc"]))
    if problem["type"] == "extra_forbidden":
        known = list(_group(settings, parents).model_fields)
        nearest = difflib.get_close_matches(str(key), known, n=1)
        hint = f"did you mean {nearest[0]!r}?" if nearest else f"known keys: {', '.join(known)}"
        return f"unknown key {name!r}; {hint}"
    if problem["type"] == "value_error":
        reason = str(problem["ctx"]["error"])
        return f"{name}: {reason}" if name else reason
    if problem["type"] == "missing":
        return f"needs the key {name!r}"
    return f"{name or 'content'}: {problem['msg']}, not {problem['input']!r}"


def _group(settings: type[BaseModel], parents: list[int | str]) -> type[BaseModel]:
    """Follow ``parents`` down to the group that the key stands in."""
    for parent in parents:
        field = settings.model_fields.get(str(parent))
        kinds = [field.annotation, *get_args(field.annotation)] if field else []
        # An optional group is a union with None.
        groups = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if not groups:
            break
        settings = groups[0]
    return settings
