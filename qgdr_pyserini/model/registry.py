"""Which folder an encoder's name means."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.config import CONFIG_NAME

DEFAULT_ENCODER = "qgdr"

_PACKAGE = Path(__file__).resolve().parent.parent


def encoder_folders() -> list[Path]:
    """List the folders whose sub-folders are encoders.

    Returns
    -------
    list of Path
        ``./encoders`` of the working directory, ``encoders/`` of the source tree, and the
        one inside the installed package; those that exist, each once.
    """
    places = [Path("encoders").resolve(), _PACKAGE.parent / "encoders", _PACKAGE / "encoders"]
    return [place for place in dict.fromkeys(places) if place.is_dir()]


def named_encoders() -> dict[str, Path]:
    """Map the name of every encoder that has weights to its folder; the first place found wins."""
    found: dict[str, Path] = {}
    for folder in _candidates():
        found.setdefault(folder.name, folder)
    return found


def find_encoder(name: str) -> Path:
    """Find the folder of an encoder.

    Parameters
    ----------
    name
        ``qgdr`` or another name under ``encoders/``; ``qgdr:PATH``; or a path.

    Returns
    -------
    Path
        A folder with weights and ``qgdr_config.json``.

    Raises
    ------
    QgdrError
        If there is no such encoder.
    """
    known = named_encoders()
    if name in known:
        return known[name]
    folder = Path(name.removeprefix(f"{DEFAULT_ENCODER}:")).expanduser()
    if _is_encoder(folder):
        return folder
    if folder.is_dir():
        raise QgdrError(f"{folder}: not an encoder (no {CONFIG_NAME} in it); train one with 'qgdr train'")
    names = ", ".join(sorted(known)) or "none"
    raise QgdrError(f"unknown encoder {name!r}; known names: {names}; or give qgdr:PATH to a folder")


def _candidates() -> Iterator[Path]:
    for place in encoder_folders():
        yield from (folder for folder in sorted(place.iterdir()) if _is_encoder(folder))


def _is_encoder(folder: Path) -> bool:
    return (folder / CONFIG_NAME).is_file() and (folder / "config.json").is_file()
