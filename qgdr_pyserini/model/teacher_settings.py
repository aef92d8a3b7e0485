"""Settings saved beside a teacher's weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Self

from qgdr_pyserini.errors import InputError
from qgdr_pyserini.files import atomic_text
from qgdr_pyserini.settings import Settings

SETTINGS_NAME = "qgdr_teacher.json"


class TeacherSettings(Settings):
    """Settings of one kind of teacher, kept in the folder of its weights."""

    def save(self, folder: Path) -> None:
        """Write the settings to ``folder/qgdr_teacher.json``."""
        with atomic_text(folder / SETTINGS_NAME) as file:
            file.write(self.model_dump_json(indent=2) + "\n")

    @classmethod
    def saved_or_default(cls, folder: str) -> Self:
        """Read what `save` wrote; the defaults where nothing is saved, as for a checkpoint from a hub."""
        path = Path(folder) / SETTINGS_NAME
        if not folder or not path.is_file():
            return cls()
        try:
            return cls.checked(json.loads(path.read_text(encoding="utf-8")), path)
        except json.JSONDecodeError as error:
            raise InputError(f"not JSON ({error.msg})", path, error.lineno) from None
