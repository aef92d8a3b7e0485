"""Puts what lies outside the package into wheels: the `.pth` file, the encoder that ships, recipes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCE = "qgdr_pyserini/pyserini_plugin/qgdr_pyserini.pth"
# Python reads .pth files in alphabetical order: this name comes after the one that an editable
# install uses to make the package importable (`_editable_impl_…`).
TARGET = "qgdr_pyserini.pth"
ENCODER = "encoders/qgdr"


class WheelHook(BuildHookInterface[Any]):
    """Adds files to a normal (``standard``) or an editable wheel, whichever is built."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Put the `.pth` file at the top, where it lands in site-packages and in RECORD."""
        if version == "editable":
            # The encoder is found in the source tree.
            build_data["force_include_editable"][SOURCE] = TARGET
        else:
            build_data["force_include"][SOURCE] = TARGET
            build_data["force_include"][ENCODER] = f"qgdr_pyserini/{ENCODER}"
            for recipe in sorted(Path(self.root).glob("encoders/*/recipe.toml")):
                name = recipe.relative_to(self.root).as_posix()
                if not name.startswith(f"{ENCODER}/"):
                    build_data["force_include"][name] = f"qgdr_pyserini/{name}"
