"""Settings saved beside a teacher's weights."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from qgdr_pyserini.files import atomic_text, read_json
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
        return cls.checked(read_json(path), path)
