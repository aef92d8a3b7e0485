"""Which folder an encoder's name means."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.config import CONFIG_NAME
from qgdr_pyserini.model.hub import fetch_encoder, hub_name, may_be_on_hub
from qgdr_pyserini.model.saved_settings import MODULES

DEFAULT_ENCODER = "qgdr"

PAIR = ("query_encoder", "passage_encoder")
"""Folders of the two encoders that are one together."""

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
    return _named(is_encoder)


def find_encoder(name: str) -> Path:
    """Find the folder of an encoder: of ours, of one that sentence-transformers saved, of a bare transformer.

    Parameters
    ----------
    name
        ``qgdr`` or another name under ``encoders/``; a path; or a name on the Hugging Face hub.
        The last two may have ``qgdr:`` before them.

    Returns
    -------
    Path
        A folder that `DualEncoder.from_pretrained` takes.

    Raises
    ------
    QgdrError
        If there is no such encoder.
    """
    folder = find_folder(name)
    if folder is not None:
        return folder
    bare = name.removeprefix(f"{DEFAULT_ENCODER}:")
    if not may_be_on_hub(bare):
        raise _unknown(name, "or give qgdr:PATH to a folder")
    try:
        return fetch_encoder(bare)
    except QgdrError as error:
        raise _unknown(name, f"no folder either, and {error}") from error


def find_folder(name: str) -> Path | None:
    """Find the folder of an encoder that is on this machine, without the hub; None if there is none.

    Raises
    ------
    QgdrError
        If there is a folder of that name that is no encoder.
    """
    return _find(name, is_encoder)


def find_own_encoder(name: str) -> Path:
    """Find the folder of an encoder that `DualEncoder.save_pretrained` wrote; see `find_encoder`."""
    folder = _find(name, is_ours)
    if folder is None:
        raise _unknown(name, "or give qgdr:PATH to a folder")
    return folder


def encoder_name(folder: Path) -> str:
    """Return what an encoder is called: as on the hub where it is from there, otherwise as its folder."""
    return hub_name(folder) or folder.resolve().name


def is_ours(folder: Path) -> bool:
    """Tell whether a folder holds an encoder with our own settings."""
    return (folder / CONFIG_NAME).is_file() and (folder / "config.json").is_file()


def is_encoder(folder: Path) -> bool:
    """Tell whether a folder holds anything that an encoder can be made of."""
    return (folder / "config.json").is_file() or (folder / MODULES).is_file() or is_pair(folder)


def is_pair(folder: Path) -> bool:
    """Tell whether a folder holds two encoders: ``query_encoder`` and ``passage_encoder``."""
    return all((folder / name).is_dir() and is_encoder(folder / name) for name in PAIR)


def _find(name: str, fits: Callable[[Path], bool]) -> Path | None:
    known = _named(fits)
    bare = name.removeprefix(f"{DEFAULT_ENCODER}:")
    for one in (name, bare):
        if one in known:
            return known[one]
    folder = Path(bare).expanduser()
    if fits(folder):
        return folder
    if folder.is_dir():
        wanted = CONFIG_NAME if fits is is_ours else f"{CONFIG_NAME}, {MODULES} or config.json"
        raise QgdrError(f"{folder}: not an encoder (no {wanted} in it); train one with 'qgdr train'")
    return None


def _named(fits: Callable[[Path], bool]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for folder in _candidates():
        if fits(folder):
            found.setdefault(folder.name, folder)
    return found


def _candidates() -> Iterator[Path]:
    for place in encoder_folders():
        yield from sorted(place.iterdir())


def _unknown(name: str, remedy: str) -> QgdrError:
    names = ", ".join(sorted(named_encoders())) or "none"
    return QgdrError(f"unknown encoder {name!r}; known names: {names}; {remedy}")
