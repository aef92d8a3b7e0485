"""Which files of weights may be opened."""

from __future__ import annotations

from pathlib import Path

from qgdr_pyserini.errors import InputError

_PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt")


def refuse_pickles(folder: Path) -> None:
    """Raise `InputError` unless a folder holds weights in safetensors: a pickle can run any program."""
    if any(folder.glob("*.safetensors")):
        return
    pickled = next((file.name for pattern in _PICKLED for file in sorted(folder.glob(pattern))), None)
    if pickled is None:
        raise InputError("holds no weights; name a folder with model.safetensors", folder)
    raise InputError(
        f"its weights are pickled ({pickled}), which can run any program, so they are not opened; where you "
        "trust them, load the model with the library that wrote it, and save it again as safetensors",
        folder,
    )
